// Of each of a set's coefficients, first the slopes, then the intercepts: what it is where the small layers say zero, and how
// far they move it.
//#use layers/dynamic_relu/form.wgsl
const LINES: u32 = 2u; //#stub
struct Args { initial0: f32, initial1: f32, initial2: f32, initial3: f32, initial4: f32, initial5: f32, initial6: f32, initial7: f32, lambda_slope: f32, lambda_intercept: f32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

fn initial_of(which: u32) -> f32 {
    var v = args.initial0;
    v = select(v, args.initial1, which == 1u);
    v = select(v, args.initial2, which == 2u);
    v = select(v, args.initial3, which == 3u);
    v = select(v, args.initial4, which == 4u);
    v = select(v, args.initial5, which == 5u);
    v = select(v, args.initial6, which == 6u);
    return select(v, args.initial7, which == 7u);
}

fn lambda_of(which: u32) -> f32 {
    return select(args.lambda_slope, args.lambda_intercept, which >= LINES);
}
