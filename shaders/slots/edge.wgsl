// Of four elements beside each other: the channel of the first, counted from zero; the one that follows it; and how many elements are
// left of the first. A channel has four elements at least where this is asked, so that no third one begins among them.
struct Edge {
    channel: u32,
    next: u32,
    left: u32,
}
