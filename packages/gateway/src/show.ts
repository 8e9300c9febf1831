/** Text from a request as an error shows it: quoted, and short. */
export const show = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
