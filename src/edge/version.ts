/** The version of this package, as `/health` tells it. */
export const relayVersion = "0.1.0";
