import moviesUrl from "../../../node_modules/vega-datasets/data/movies.json?url";

/** The data set that the demo comes with: films up to 2010, from vega-datasets 3.2.1. */
export const movies = {
  name: "movies.json",
  title: "Movies",
  about: "3,201 films in 16 columns: takings, budgets, ratings, genres. From vega-datasets.",
  sizeBytes: 1_399_981,
  async load(): Promise<Uint8Array> {
    const response = await fetch(moviesUrl);
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    return new Uint8Array(await response.arrayBuffer());
  },
} as const;
