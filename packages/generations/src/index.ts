/**
 * Generations room: what a generation is, and how every client's way of reporting one becomes the same row. Pure: no engine, no
 * network; the tables are data, and what leaves here is SQL text.
 */
export {};
