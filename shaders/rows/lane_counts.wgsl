override LANES: u32 = 64u; // Of a workgroup.
override BESIDE: u32 = 64u; // Those of one row, one beside the other: a power of two.
override WORDS: u32 = 4u; // Words that a lane has of a strip of a row: 1 to 8.
override WHOLE: bool = false; // Whether each lane has that many of every row.
