/** What a later server needs to take a container back (JSON), for as long as the container lives; null where it can't, or must not. */
export const returnFacts = `
  ALTER TABLE containers ADD COLUMN facts TEXT CHECK (facts IS NULL OR ended_at_ms IS NULL);
`;
