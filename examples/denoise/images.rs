//! The images: where they come from, how noise is put on them, how far from the truth they are, and how they are
//! shown.

use std::fs;
use std::io::BufWriter;
use std::path::Path;

/// Rows and columns of an image, and pixels.
pub(crate) const SIDE: usize = 8;
pub(crate) const PIXELS: usize = SIDE * SIDE;

/// The images that are trained on come first; the others are the test set.
pub(crate) const TRAINED: usize = 1440;

/// Splitmix64 (Steele, Lea and Flood 2014): numbers that look random, the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    /// Streams of one seed have nothing to do with each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Random(seed);
        Random(random.next().wrapping_add(stream.rotate_left(32)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let once = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let twice = (once ^ (once >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        twice ^ (twice >> 31)
    }

    /// Below `end`, which is small, so that none is much more frequent than another.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// From 0 to 1.
    pub(crate) fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Nearly normal, of variance 1: the sum of twelve uniform numbers, which needs no logarithm whose last bit
    /// depends on the platform.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// The handwritten digits of examples/data, as they are and with noise: [`PIXELS`] for each, from 0 to 1.
pub(crate) struct Digits {
    pub(crate) clean: Vec<f32>,
    pub(crate) noisy: Vec<f32>,
    /// Which digit each image shows.
    pub(crate) labels: Vec<u8>,
}

impl Digits {
    /// With noise of this standard deviation on every pixel, the same each time. A noisy pixel is cut to what a
    /// pixel can be.
    pub(crate) fn new(sigma: f32) -> Self {
        let records = include_bytes!("../data/digits.bin").chunks_exact(PIXELS + 1);
        let pixels = records.clone().flat_map(|record| &record[..PIXELS]);
        let clean: Vec<f32> = pixels.map(|pixel| f32::from(*pixel) / 16.0).collect();
        let mut random = Random::new(0, 0);
        let noisy = clean.iter().map(|pixel| pixel + sigma * random.normal());
        Digits {
            noisy: noisy.map(|pixel| pixel.clamp(0.0, 1.0)).collect(),
            labels: records.map(|record| record[PIXELS]).collect(),
            clean,
        }
    }

    /// The test set's images: noisy, and clean.
    pub(crate) fn test(&self) -> (&[f32], &[f32]) {
        let from = TRAINED * PIXELS;
        (&self.noisy[from..], &self.clean[from..])
    }

    /// In the test set, the first image of each digit.
    pub(crate) fn shown(&self) -> Vec<usize> {
        let labels = &self.labels[TRAINED..];
        let first = |digit: u8| labels.iter().position(|label| *label == digit);
        (0..10).filter_map(first).collect()
    }
}

/// Peak signal to noise ratio in dB of images that are cut to the range of pixels, 0 to 1, the mean squared error
/// taken over all of them together.
pub(crate) fn psnr(images: &[f32], truth: &[f32]) -> f64 {
    let off = |(pixel, truth): (&f32, &f32)| f64::from(pixel.clamp(0.0, 1.0)) - f64::from(*truth);
    let squares = images.iter().zip(truth).map(|pair| off(pair).powi(2));
    -10.0 * (squares.sum::<f64>() / truth.len() as f64).log10()
}

/// A grey picture: images in rows and columns.
pub(crate) struct Sheet {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Sheet {
    /// The brightness between images.
    const GAP: u8 = 96;

    /// A column for each set of images, a row for each image that is shown. A pixel is drawn as a square of
    /// `scale` by `scale`; the gaps are as wide.
    pub(crate) fn new(columns: &[&[f32]], shown: &[usize], scale: usize) -> Self {
        let pitch = (SIDE + 1) * scale;
        let (width, height) = (columns.len() * pitch + scale, shown.len() * pitch + scale);
        let mut pixels = vec![Self::GAP; width * height];
        for (column, images) in columns.iter().enumerate() {
            for (row, image) in shown.iter().enumerate() {
                for y in 0..SIDE * scale {
                    for x in 0..SIDE * scale {
                        let pixel = images[image * PIXELS + y / scale * SIDE + x / scale];
                        let (left, top) = (column * pitch + scale + x, row * pitch + scale + y);
                        pixels[top * width + left] = (pixel.clamp(0.0, 1.0) * 255.0).round() as u8;
                    }
                }
            }
        }
        Sheet {
            width,
            height,
            pixels,
        }
    }

    /// Writes a PNG file, and the folders to it. What the columns are stands in it too, as text.
    pub(crate) fn save(&self, path: &Path, columns: &str) -> Result<(), String> {
        self.encode(path, columns)
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    fn encode(&self, path: &Path, columns: &str) -> Result<(), png::EncodingError> {
        if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
            fs::create_dir_all(folder)?;
        }
        let file = BufWriter::new(fs::File::create(path)?);
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.add_text_chunk("Description".into(), format!("Columns: {columns}"))?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()
    }
}
