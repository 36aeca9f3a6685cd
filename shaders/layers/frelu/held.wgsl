// What a lane holds of its channel, or channels, for gradients.
alias C = f32; //#stub
struct WindowRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct WindowTaps { a: WindowRow, b: WindowRow, c: WindowRow, d: WindowRow, e: WindowRow, f: WindowRow, g: WindowRow } //#stub
struct Windows { a: WindowTaps } //#stub
fn windows_of(c: u32) -> Windows { return Windows(); } //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Norms { a: Norm } //#stub
fn norms_of(c: u32) -> Norms { return Norms(); } //#stub
struct Back { factor: C, mean: C, variance: C } //#stub
struct Backs { a: Back } //#stub
fn backs_of(c: u32, n: Norms) -> Backs { return Backs(); } //#stub

struct Held {
    windows: Windows,
    norms: Norms,
    backs: Backs,
}

fn hold(c: u32) -> Held {
    let norms = norms_of(c);
    return Held(windows_of(c), norms, backs_of(c, norms));
}
