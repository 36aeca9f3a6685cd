// Which dynamic ReLU it is: how many lines, at most 4; whether all channels share them (variant A); and whether values depend
// on the place besides (variant C).
override LINES: u32 = 2u;
override SHARED: bool = false;
override SPATIAL: bool = false;
