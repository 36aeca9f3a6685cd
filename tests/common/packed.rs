//! A gate that is packed with x: in halves, and element by element.

use crate::common::{download, small_bindings, submit, upload, verdict};
use crate::{noise, stored};
use libtest_mimic::Failed;
use nonlin::check::{self, Expected};
use nonlin::half::f16;
use nonlin::{Chain, Element, Gpu, Operand, Operands, Pass, Rows, Values, wgpu};

/// A gate from the other half of a packed tensor, and gradients to both halves of another.
pub(crate) fn packed<T: Element>(
    gpu: &Gpu,
    name: &str,
    h: u64,
    act_first: bool,
) -> Result<(), Failed> {
    let chain: Chain = format!("{name} | gate(@g)").parse()?;
    let rows = 37u64;
    let total = (rows * 2 * h) as usize;
    let data: Vec<T> = (0..total).map(|i| stored(3.0 * noise(3, i))).collect();
    let dy: Vec<T> = (0..(rows * h) as usize)
        .map(|i| stored(noise(4, i)))
        .collect();
    let words = |data: &[T]| {
        let mut bytes = bytemuck::cast_slice::<T, u8>(data).to_vec();
        bytes.resize(bytes.len().next_multiple_of(4), 0xa5);
        upload(gpu, &bytemuck::pod_collect_to_vec::<u8, u32>(&bytes))
    };
    let size = T::DTYPE.size();
    let (packed, dys) = (words(&data), words(&dy));
    let (ys, dpacked) = (words(&dy), words(&data));
    let (mine, other) = if act_first {
        (0, h * size)
    } else {
        (h * size, 0)
    };
    let half = |buffer, offset| {
        Operand::new(buffer, offset, rows * h).rows(Rows {
            len: h,
            stride: 2 * h,
        })
    };
    let whole = |buffer| Operand::new(buffer, 0, rows * h);
    let operands = Operands::new()
        .x(half(&packed, mine))
        .arg("g", half(&packed, other), T::DTYPE);
    let forward = gpu.kernels().plan(&chain, Pass::Forward, T::DTYPE)?;
    let backward = gpu.kernels().plan(&chain, Pass::Backward, T::DTYPE)?;
    let one = forward.bind(operands.clone().y(whole(&ys)))?;
    let two = backward.bind(operands.dy(whole(&dys)).dx(half(&dpacked, mine)).grad(
        "g",
        half(&dpacked, other),
        T::DTYPE,
    ))?;
    let wide = h.is_multiple_of(4) || size == 4;
    if wide && (one.dispatches(), two.dispatches()) != (1, 1) {
        return Err(format!("{} and {} dispatches", one.dispatches(), two.dispatches()).into());
    }
    submit(gpu, |pass| {
        one.record(pass);
        two.record(pass);
    });
    let read =
        |buffer: &wgpu::Buffer| bytemuck::pod_collect_to_vec::<u32, T>(&download(gpu, buffer));
    let (y, grads) = (read(&ys), read(&dpacked));
    let pick = |data: &[T], offset: u64| -> Vec<T> {
        let from = (offset / size) as usize;
        (0..(rows * h) as usize)
            .map(|i| data[i / h as usize * 2 * h as usize + i % h as usize + from])
            .collect()
    };
    let (x, g) = (pick(&data, mine), pick(&data, other));
    let values = Values::new().arg("g", &g);
    verdict(&Expected::forward_with(&chain, &x, &values)?.compare(&y[..x.len()])?)?;
    let dx = pick(&grads, mine);
    verdict(&Expected::backward_with(&chain, &x, &dy, &values)?.compare(&dx)?)?;
    verdict(&check::gradient(
        &chain,
        &x,
        &dy,
        &values,
        "g",
        &pick(&grads, other),
    )?)
}

/// Chains with a gate, also of a branch.
pub(crate) const CHAINS: [&str; 3] = [
    "silu | gate(@g)",
    "swiglu_oai",
    "sigmoid | residual(@g | tanh | scale(0.5))",
];

/// How x and the gate alternate.
#[derive(Clone, Copy, Debug)]
struct Pairs {
    /// Elements of each.
    len: usize,
    /// Elements before the first pair.
    first: usize,
    /// Whether x has the second elements.
    swapped: bool,
    /// Whether results take the places of x and the gate.
    in_place: bool,
    /// Whether they need more than one dispatch.
    is_cut: bool,
}

/// Both passes of a chain whose x and gate alternate, and their gradients too.
pub(crate) fn alternating<T: Element + PartialEq>(gpu: &Gpu, text: &str) -> Result<(), Failed> {
    let chain: Chain = text.parse()?;
    let places = [(4096, 0), (4099, 8), (1, 0), (6, 8), (515, 1), (64, 5)];
    for (index, (len, first)) in places.into_iter().enumerate() {
        for swapped in [false, true] {
            let in_place = swapped == (index % 2 == 0);
            let pairs = Pairs {
                len,
                first,
                swapped,
                in_place,
                is_cut: false,
            };
            let told = |e: Failed| {
                let text = e.message().unwrap_or_default();
                Failed::from(format!("{chain} {}, {pairs:?}: {text}", T::DTYPE))
            };
            pairs.run::<T>(gpu, &chain).map_err(told)?;
        }
    }
    Ok(())
}

/// More pairs than one binding holds: they are cut.
pub(crate) fn alternating_in_pieces(gpu: &Gpu) -> Result<(), Failed> {
    let chain: Chain = CHAINS[0].parse()?;
    let pairs = Pairs {
        len: 5003,
        first: 0,
        swapped: false,
        in_place: true,
        is_cut: true,
    };
    let small = small_bindings(gpu)?;
    pairs.run::<f32>(&small, &chain)?;
    pairs.run::<f16>(&small, &chain)
}

/// y over an x that is its own gate.
pub(crate) fn own_gate<T: Element>(gpu: &Gpu) -> Result<(), Failed> {
    let chain: Chain = "sigmoid | gate(@g)".parse()?;
    let data: Vec<T> = (0..1027).map(|i| stored(4.0 * noise(8, i))).collect();
    let mut bytes = bytemuck::cast_slice::<T, u8>(&data).to_vec();
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    let buffer = upload(gpu, &bytemuck::pod_collect_to_vec::<u8, u32>(&bytes));
    let all = || Operand::new(&buffer, 0, data.len() as u64);
    let plan = gpu.kernels().plan(&chain, Pass::Forward, T::DTYPE)?;
    let bound = plan.bind(Operands::new().x(all()).y(all()).arg("g", all(), T::DTYPE))?;
    submit(gpu, |pass| bound.record(pass));
    let y = bytemuck::pod_collect_to_vec::<u32, T>(&download(gpu, &buffer));
    let values = Values::new().arg("g", &data);
    verdict(&Expected::forward_with(&chain, &data, &values)?.compare(&y[..data.len()])?)
}

/// Bytes around operands, which must stay.
const AROUND: usize = 16;

impl Pairs {
    /// A buffer with the values of both, and poison around them.
    fn packed<T: Element>(self, data: &[T]) -> Vec<u8> {
        let size = T::DTYPE.size() as usize;
        let mut bytes = vec![0xa5; self.first * size];
        bytes.extend_from_slice(bytemuck::cast_slice(data));
        bytes.resize((bytes.len() + AROUND).next_multiple_of(16), 0xa5);
        bytes
    }

    fn operand<'a, T: Element>(self, buffer: &'a wgpu::Buffer, is_x: bool) -> Operand<'a> {
        let second = usize::from(is_x == self.swapped);
        let offset = (self.first + second) as u64 * T::DTYPE.size();
        let rows = Rows { len: 1, stride: 2 };
        Operand::new(buffer, offset, self.len as u64).rows(rows)
    }

    fn part<T: Element>(self, packed: &[T], is_x: bool) -> Vec<T> {
        let second = usize::from(is_x == self.swapped);
        packed.iter().copied().skip(second).step_by(2).collect()
    }

    fn run<T: Element + PartialEq>(self, gpu: &Gpu, chain: &Chain) -> Result<(), Failed> {
        let Pairs { len, first, .. } = self;
        let data: Vec<T> = (0..2 * len).map(|i| stored(4.0 * noise(5, i))).collect();
        let dy: Vec<T> = (0..len).map(|i| stored(noise(6, i))).collect();
        let on_device =
            |bytes: Vec<u8>| upload(gpu, &bytemuck::pod_collect_to_vec::<u8, u32>(&bytes));
        let whole = |data: &[T]| {
            let mut bytes = bytemuck::cast_slice::<T, u8>(data).to_vec();
            bytes.resize(bytes.len().next_multiple_of(16), 0xa5);
            on_device(bytes)
        };
        let before = self.packed(&data);
        let (packed, again) = (on_device(before.clone()), on_device(before.clone()));
        let (ys, dys) = (whole(&dy), whole(&dy));
        let other = on_device(before.clone());
        let results = if self.in_place { &again } else { &other };
        let flat = |buffer| Operand::new(buffer, 0, len as u64);
        let of = |buffer| {
            let gate = self.operand::<T>(buffer, false);
            Operands::new()
                .x(self.operand::<T>(buffer, true))
                .arg("g", gate, T::DTYPE)
        };
        let y = match self.in_place {
            true => self.operand::<T>(&packed, true),
            false => flat(&ys),
        };
        let plan = |pass| gpu.kernels().plan(chain, pass, T::DTYPE);
        let forward = plan(Pass::Forward)?.bind(of(&packed).y(y));
        let operands = of(&again)
            .dy(flat(&dys))
            .dx(self.operand::<T>(results, true))
            .grad("g", self.operand::<T>(results, false), T::DTYPE);
        let backward = plan(Pass::Backward)?.bind(operands);
        let is_aligned = first % 8 == 0;
        // One by one, 16-bit results take a dispatch each, and only one of them may take another's place.
        let is_apart = T::DTYPE.size() < 4 && !is_aligned;
        if is_apart && self.in_place {
            return match backward {
                Err(error) if error.to_string().contains("overlap in one buffer") => Ok(()),
                _ => Err("two that share words are written in each other's dispatch".into()),
            };
        }
        let (forward, backward) = (forward?, backward?);
        for (bound, results) in [(&forward, 1), (&backward, 2)] {
            let is_more = self.is_cut || (is_apart && results > 1);
            if (bound.dispatches() > 1) != is_more {
                return Err(format!("{} dispatches", bound.dispatches()).into());
            }
        }
        submit(gpu, |pass| {
            forward.record(pass);
            backward.record(pass);
        });
        let bytes = |buffer| bytemuck::pod_collect_to_vec::<u32, u8>(&download(gpu, buffer));
        let inner = |bytes: &[u8]| -> Vec<T> {
            let size = T::DTYPE.size() as usize;
            bytemuck::pod_collect_to_vec(&bytes[first * size..][..2 * len * size])
        };
        let (after, grads) = (bytes(&packed), bytes(results));
        let (x, g) = (self.part(&data, true), self.part(&data, false));
        let got: Vec<T> = match self.in_place {
            true => self.part(&inner(&after), true),
            false => bytemuck::pod_collect_to_vec(&bytes(&ys)[..len * T::DTYPE.size() as usize]),
        };
        let values = Values::new().arg("g", &g);
        verdict(&Expected::forward_with(chain, &x, &values)?.compare(&got)?)?;
        let both = inner(&grads);
        let (dx, dg) = (self.part(&both, true), self.part(&both, false));
        verdict(&Expected::backward_with(chain, &x, &dy, &values)?.compare(&dx)?)?;
        verdict(&check::gradient(chain, &x, &dy, &values, "g", &dg)?)?;
        // What is around, and the gate where y took x's place.
        let kept = |bytes: &[u8]| {
            let size = T::DTYPE.size() as usize;
            let end = (first + 2 * len) * size;
            bytes[..first * size] == before[..first * size] && bytes[end..] == before[end..]
        };
        let gate = self.part(&inner(&after), false) == g;
        match kept(&after) && kept(&grads) && gate {
            true => Ok(()),
            false => Err("what belongs to nobody was written".into()),
        }
    }
}
