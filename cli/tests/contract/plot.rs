//! `nonlin plot`.

use crate::common::{Ran, nonlin};
use nonlin::Activation;
use std::fs;
use std::path::Path;

/// Draws a chain into a file of this name in a new folder; the file's contents.
fn plot(chain: &str, name: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let args = ["plot", chain, "--out", path.to_str().unwrap()];
    assert_eq!(nonlin(&[&args[..], options].concat()).fine(), "");
    fs::read(path).unwrap()
}

fn svg(chain: &str, options: &[&str]) -> String {
    String::from_utf8(plot(chain, "plot.svg", options)).unwrap()
}

#[test]
fn svg_has_a_title_curves_and_a_legend() {
    let silu = svg("scale(0.5) | silu", &[]);
    let start = "<svg width=\"640\" height=\"400\" viewBox=\"0 0 6400 4000\"";
    assert!(silu.starts_with(start), "{silu}");
    for text in ["scale(0.5) | silu", "value", "derivative", "-6", "6"] {
        assert!(silu.contains(&format!("\n{text}\n")), "{text}: {silu}");
    }
    assert!(!silu.contains("\nknot\n") && !silu.contains("<circle"));
    // Two curves, each in one line.
    let longest = |svg: &str| svg.lines().filter(|line| line.len() > 1000).count();
    assert_eq!(longest(&silu), 2);

    // The knot parts the curves and is marked on both, and in the legend.
    let relu = svg("relu", &[]);
    assert!(relu.contains("\nknot\n"));
    assert_eq!((longest(&relu), relu.matches("<circle").count()), (4, 3));
    assert!(!svg("relu", &["--from", "1", "--to", "2"]).contains("<circle"));
    assert_eq!(plot("relu", "PLOT.SVG", &[]), relu.as_bytes());
}

#[test]
fn png_holds_the_same_picture() {
    let file = plot("gelu", "plot.png", &["--from", "-3", "--to", "3"]);
    let mut reader = png::Decoder::new(std::io::Cursor::new(file))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (1280, 800));
    assert_eq!(info.color_type, png::ColorType::Rgb);
    let colors = |rows: std::ops::Range<usize>| {
        let pixels = &pixels[rows.start * 1280 * 3..rows.end * 1280 * 3];
        let pixels = pixels.chunks_exact(3).map(<[u8]>::to_vec);
        pixels.collect::<std::collections::HashSet<_>>()
    };
    // The title is there without a font of the system, and both curves are.
    assert!(colors(0..70).contains(&vec![0x33; 3]));
    for curve in [vec![0x1b, 0x6c, 0xa8], vec![0xd9, 0x5f, 0x02]] {
        assert!(colors(130..700).contains(&curve));
    }
}

#[test]
fn any_range_and_chain_is_drawn_or_refused() {
    for (from, to) in [
        ("0", "1e-45"),
        ("1", "1.0000002"),
        ("-3.4e38", "3.4028234e38"),
        ("-6", "-5"),
    ] {
        for chain in ["relu", "exp", "threshold", "scale(3e38)"] {
            svg(chain, &["--from", from, "--to", to]);
        }
    }
    let long = ["scale(0.123456)"; 40].join(" | ");
    assert!(svg(&long, &[]).contains('…'));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.svg");
    let refused = |args: &[&str], message: &str| {
        let out = ["plot", "--out", path.to_str().unwrap()];
        nonlin(&[&out[..], args].concat()).refused(message);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    for (from, to) in [("1", "1"), ("2", "1"), ("NaN", "1"), ("0", "inf")] {
        let message = "the x axis must have a beginning and a later end";
        let message = format!("--from {from} --to {to}: {message}");
        refused(&["relu", "--from", from, "--to", to], &message);
    }
    refused(
        &["exp", "--from", "1000", "--to", "2000"],
        "exp has no finite value from 1000 to 2000",
    );
    refused(
        &["silux"],
        r#"step 1: unknown activation "silux"; did you mean "silu"?"#,
    );
}

#[test]
fn the_extension_decides() {
    for name in ["plot.gif", "plot", ".svg"] {
        nonlin(&["plot", "silu", "--out", name]).refused(&format!(
            "cannot draw {name}: the extension must be .svg or .png"
        ));
        assert!(!Path::new(name).exists());
    }
}

#[test]
fn the_gallery_shows_every_activation() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = folder.path().join("new/gallery");
    let path = gallery.to_str().unwrap();
    nonlin(&["plot", "--gallery", path]).fine();
    let page = fs::read_to_string(gallery.join("README.md")).unwrap();
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.iter().all(|row| cells(row) == 3), "{page}");
    for activation in Activation::ALL {
        let name = activation.name();
        let formula = activation.formula().replace('|', "\\|");
        let cell = format!("**{name}**<br>`{formula}`");
        assert!(page.contains(&cell) && page.contains(&format!("\"{name}.svg\"")));
        let picture = fs::read_to_string(gallery.join(format!("{name}.svg"))).unwrap();
        assert!(picture.contains(&format!("\n{activation}\n")), "{name}");
    }
    let files = fs::read_dir(&gallery).unwrap().count();
    assert_eq!(files, Activation::ALL.len() + 1);
    // Again, over what is there.
    nonlin(&["plot", "--gallery", path, "--to", "8"]).fine();
    assert_eq!(fs::read_dir(&gallery).unwrap().count(), files);

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let Ran { code, stderr, .. } = nonlin(&["plot", "--gallery", file.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("nonlin: cannot write "), "{stderr}");
}
