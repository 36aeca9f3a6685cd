//#default a = 1.5
fn act_f(x: f32, a: f32) -> f32 {
    var s = abs(x) + sin(x) * cos(a) + tanh(x) - exp(-x * x) + sqrt(x * x + 1.0) + log(2.0 + abs(x));
    s += pow(abs(x) + 1.0, a) + atan2(x, a) + mix(x, a, 0.25) + smoothstep(-1.0, 1.0, x) + saturate(x) + fract(x);
    s += floor(x) + ceil(x) + round(x) + trunc(x) + sign(x) + step(a, x) + x % a + fma(x, a, 1.0) + degrees(x);
    s += asinh(x) + acosh(abs(x) + 1.0) + atan(x) + sinh(clamp(x, -1.0, 1.0)) + cosh(0.5) + inverseSqrt(1.0 + x * x);
    s += modf(x).fract + ldexp(x, 2) + distance(vec2(x, a), vec2(a, x)) + normalize(vec2(x, 1.0)).x;
    return s + exp2(min(x, 3.0)) + log2(3.0 + abs(x)) + tan(0.1 * sin(x)) + min(x, a) + max(x, a) + asin(0.5) + acos(0.1);
}
