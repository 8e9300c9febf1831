/** How shells exit where a program is not there, and where it is and can't be run. */
export const EXIT_CODES = Object.freeze({ missing: 127, cannotRun: 126 });
