override LANES: u32 = 64u; // Of a workgroup.
override BESIDE: u32 = 64u; // Those of one row, one beside the other: a power of two.
