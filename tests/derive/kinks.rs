//! Derivatives at kinks are those that PyTorch's autograd has.

use super::{custom, of_text, shares, slopes, values};

#[test]
fn kinks_are_pytorchs() {
    let mut count = 0;
    for line in include_str!("kinks.txt").lines() {
        let fields: Vec<&str> = line.split("; ").collect();
        let a: f32 = fields[1].parse().unwrap();
        let body = format!("    return {};", fields[0]);
        let made = custom(&[("a", a)], &body, "").unwrap();
        let text = of_text(&made).unwrap();
        for of_x in fields[2..].chunks(3) {
            let x: f32 = of_x[0].parse().unwrap();
            let wants: Vec<f64> = of_x[1..].iter().map(|v| v.parse().unwrap()).collect();
            let is = |got: f64, want: f64| (got - want).abs() <= 1e-7 * want.abs() + 1e-20;
            let (dx, da) = (slopes(&made, &[x])[0], shares(&made, &[x], a)[0]);
            let written = values(&text, &[x])[0];
            assert!(
                is(dx, wants[0]),
                "{} at {x}: {dx}, not {}",
                fields[0],
                wants[0]
            );
            assert!(
                is(da, wants[1]),
                "{} at {x}, of a: {da}, not {}",
                fields[0],
                wants[1]
            );
            assert!(
                is(written, wants[0]),
                "{} at {x}: {written} by the text, not {}\n{}",
                fields[0],
                wants[0],
                made.wgsl()
            );
            count += 1;
        }
    }
    assert!(count > 90, "{count}");
}
