//! Layers on files, with the results that PyTorch's modules and autograd have in f64: the arrays that the library
//! is tested with, as files of all shapes and orders that the command takes.

use super::operands::Order::{self, C, Fortran, Half};
use super::operands::npy;
use super::{Ran, command};
use nonlin::half::f16;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A tensor: its elements in C order, and the order of its file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<u64>,
    pub(crate) order: Order,
    pub(crate) values: Vec<f64>,
}

pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// A run of the command on a layer.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) layer: String,
    pub(crate) options: Vec<String>,
    /// x, dy and the parameters.
    pub(crate) inputs: Tensors,
    /// y and the gradients, "d." before their names, and new running statistics, "new." before theirs.
    pub(crate) results: Tensors,
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/layers")
}

pub(crate) fn cases() -> Vec<Case> {
    let lines = fs::read_to_string(folder().join("cases.txt")).unwrap();
    let cases: Vec<_> = lines
        .lines()
        .enumerate()
        .map(|(i, line)| case(i, line))
        .collect();
    assert!(cases.len() > 40);
    cases
}

/// The cases of these names.
pub(crate) fn some(names: &[&str]) -> Vec<Case> {
    let mut cases = cases();
    cases.retain(|case| names.contains(&case.name.as_str()));
    assert_eq!(cases.len(), names.len());
    cases
}

/// A line is the case's name, the layer, the order of x, the shape as N x C x H x W, settings, and, behind a bar,
/// tensors with their lengths, as they lie in the case's file one behind the other.
fn case(index: usize, line: &str) -> Case {
    let (head, tensors) = line.split_once(" | ").unwrap();
    let words: Vec<&str> = head.split(' ').collect();
    let settings: BTreeMap<&str, &str> = words[4..]
        .iter()
        .map(|word| word.split_once('=').unwrap())
        .collect();
    let lengths: Vec<u64> = words[3].split('x').map(|v| v.parse().unwrap()).collect();
    let [n, c, h, w] = lengths[..] else {
        panic!("{line}")
    };
    let last = words[2] == "nhwc";
    let images = if last { [n, h, w, c] } else { [n, c, h, w] };

    // Each way to write things comes with each layer.
    let order = |of: usize| {
        if (index / of).is_multiple_of(2) {
            C
        } else {
            Fortran
        }
    };
    let spelt = |shape: Vec<u64>| match (&shape[..], index % 3) {
        ([count], 1) if last => vec![1, 1, 1, *count],
        ([count], 1) => vec![1, *count, 1, 1],
        ([count], 2) => vec![*count, 1, 1],
        ([outputs, inputs], 1) => vec![*outputs, *inputs, 1, 1],
        _ => shape,
    };

    let bytes = fs::read(folder().join(words[0]).with_extension("npy")).unwrap();
    let file = npyz::NpyFile::new(&bytes[..]).unwrap();
    let length = |name: &str| {
        let mut tensors = tensors
            .split(' ')
            .map(|tensor| tensor.split_once(':').unwrap());
        let (_, len) = tensors.find(|(known, _)| *known == name).unwrap();
        len.parse::<u64>().unwrap()
    };
    let kernel = settings.get("kernel").unwrap_or(&"3,3");
    let (height, width) = kernel.split_once(',').unwrap();
    let kernel = (height.parse().unwrap(), width.parse().unwrap());
    let mut all = file.into_vec::<f64>().unwrap().into_iter();
    let (mut inputs, mut results) = (Tensors::new(), Tensors::new());
    for tensor in tensors.split(' ') {
        let (name, len) = tensor.split_once(':').unwrap();
        let len: u64 = len.parse().unwrap();
        let bare = name.trim_start_matches("d.").trim_start_matches("new.");
        let (shape, order) = match bare {
            "x" | "y" => (images.to_vec(), order(1)),
            "dy" => (images.to_vec(), order(2)),
            _ => {
                let shape = match bare {
                    "fc1_weight" => vec![len / c, c],
                    "fc2_weight" => vec![len / length("fc1_bias"), length("fc1_bias")],
                    _ => shape(bare, len, kernel, settings.contains_key("light")),
                };
                (spelt(shape), order(4))
            }
        };
        let tensor = Tensor {
            shape,
            order,
            values: all.by_ref().take(len as usize).collect(),
        };
        match name == "y" || name != bare {
            true => results.insert(name.into(), tensor),
            false => inputs.insert(name.into(), tensor),
        };
    }
    assert_eq!(all.next(), None, "{line}");

    let layer = match (words[1], settings.get("variant")) {
        // The other name has b for its default.
        ("dynamic_relu", None) if index.is_multiple_of(2) => "dynamic_relu".into(),
        ("dynamic_relu", variant) => format!("dyrelu_{}", variant.unwrap_or(&"B").to_lowercase()),
        (layer, _) => layer.into(),
    };
    let mut options = Vec::new();
    for (key, value) in settings {
        let value = match key {
            "variant" => continue,
            "kernel" => value.replace(',', "x"),
            "bias" | "light" => "true".into(),
            _ => value.into(),
        };
        options.extend(["--set".into(), format!("{key}={value}")]);
    }
    if last {
        let axis = ["-1", "3"][index % 2];
        options.extend(["--channel-axis".into(), axis.into()]);
    }
    Case {
        name: words[0].into(),
        layer,
        options,
        inputs,
        results,
    }
}

/// The shape that a parameter has in PyTorch; a kernel's where it is a window.
fn shape(name: &str, len: u64, kernel: (u64, u64), light: bool) -> Vec<u64> {
    let (height, width) = match (name, light) {
        ("weight", false) => kernel,
        ("weight", true) => (1, kernel.1),
        ("weight2", _) => (kernel.0, 1),
        _ => return vec![len],
    };
    vec![len / (height * width), 1, height, width]
}

impl Case {
    fn file(name: &str) -> String {
        format!("{name}.npy")
    }

    /// Runs the command in a folder that is empty but for the inputs, with more options, and hands back its results
    /// as they are in their files.
    pub(crate) fn run(&self, images: Order, options: &[&str]) -> Tensors {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut args = vec!["run".to_owned(), self.layer.clone()];
        args.extend(self.options.iter().cloned());
        for (name, tensor) in &self.inputs {
            let file = Self::file(name);
            let is_x = name == "x" || name == "dy";
            let order = if is_x && images == Half {
                Half
            } else {
                tensor.order
            };
            fs::write(folder.join(&file), tensor.npy(order)).unwrap();
            match is_x {
                true => args.extend([format!("--{name}"), file]),
                false => args.extend(["--arg".into(), format!("{name}={file}")]),
            }
        }
        for name in self.results.keys() {
            let file = Self::file(name);
            match name.split_once('.') {
                None => args.extend(["--y".into(), file]),
                Some(("d", "x")) => args.extend(["--dx".into(), file]),
                Some(("d", name)) => args.extend(["--grad".into(), format!("{name}={file}")]),
                Some((_, name)) => args.extend(["--new".into(), format!("{name}={file}")]),
            }
        }
        args.extend(options.iter().map(|option| (*option).to_owned()));
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let ran = Ran::from(command(&args).current_dir(folder).output().unwrap());
        assert_eq!(ran.code, Some(0), "{}: {}", self.name, ran.stderr);
        // The adapter, and a line for each result.
        let lines = ran.stdout.lines().count();
        assert_eq!(lines, 1 + self.results.len(), "{}", ran.stdout);
        let files = fs::read_dir(folder).unwrap().count();
        assert_eq!(files, self.inputs.len() + self.results.len());
        let names = self.results.keys();
        names
            .map(|name| (name.clone(), Tensor::read(&folder.join(Self::file(name)))))
            .collect()
    }

    /// Runs it in f32, and compares with PyTorch, with a tolerance in units of a tensor's largest magnitude. What
    /// is zero but for rounding is measured in units of a tenth.
    pub(crate) fn check(&self, options: &[&str], tolerance: f64) {
        for (name, got) in self.run(C, options) {
            let want = &self.results[&name];
            let at = format!("{} {:?} {name}", self.name, self.options);
            assert_eq!((&got.shape, got.order), (&want.shape, want.order), "{at}");
            assert!(got.apart(want) <= tolerance, "{at}: {:e}", got.apart(want));
        }
    }
}

impl Tensor {
    fn npy(&self, order: Order) -> Vec<u8> {
        let lengths: Vec<_> = self
            .shape
            .iter()
            .map(|length| format!("{length},"))
            .collect();
        let shape = format!("({})", lengths.join(" "));
        let elements = self.places(order).into_iter();
        let elements: Vec<_> = elements.map(|place| self.values[place] as f32).collect();
        npy(&shape, order, &elements)
    }

    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        let order = match (file.dtype().descr().as_str(), file.order()) {
            ("'<f2'", npyz::Order::C) => Half,
            ("'<f4'", npyz::Order::C) => C,
            ("'<f4'", npyz::Order::Fortran) => Fortran,
            other => panic!("{}: {other:?}", path.display()),
        };
        let shape = file.shape().to_vec();
        let count: u64 = shape.iter().product();
        let stored: Vec<f64> = match order {
            Half => {
                let halves = bytes[bytes.len() - 2 * count as usize..].chunks(2);
                let halves = halves.map(|b| f16::from_le_bytes(b.try_into().unwrap()));
                halves.map(f64::from).collect()
            }
            _ => {
                let floats = file.into_vec::<f32>().unwrap().into_iter();
                floats.map(f64::from).collect()
            }
        };
        assert_eq!(stored.len() as u64, count);
        let mut tensor = Tensor {
            shape,
            order,
            values: vec![f64::NAN; stored.len()],
        };
        for (place, value) in tensor.places(order).into_iter().zip(stored) {
            tensor.values[place] = value;
        }
        tensor
    }

    /// Where, in C order, the elements are that come one behind the other in an order.
    fn places(&self, order: Order) -> Vec<usize> {
        let mut places = vec![0];
        if order != Fortran {
            return (0..self.values.len()).collect();
        }
        let mut stride = self.values.len();
        for length in &self.shape {
            let length = *length as usize;
            stride /= length;
            // The first axis is the fastest.
            let steps = (0..length).map(|index| index * stride);
            let added = steps.flat_map(|step| places.iter().map(move |place| place + step));
            places = added.collect();
        }
        places
    }

    /// How far two are apart at worst, in units of the second's largest magnitude.
    pub(crate) fn apart(&self, want: &Self) -> f64 {
        assert_eq!(self.values.len(), want.values.len());
        let largest = want.values.iter().fold(0.1, |a: f64, v| a.max(v.abs()));
        let pairs = self.values.iter().zip(&want.values);
        pairs.fold(0.0, |worst: f64, (a, b)| match (a - b).abs() / largest {
            apart if apart <= worst => worst,
            apart => apart, // or NaN
        })
    }
}
