//! What is compiled before it is needed: a list of chains by several threads, and what files keep for the next process.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use libtest_mimic::Failed;
use nonlin::wgpu::{self, Backend, BufferUsages};
use nonlin::{
    Ahead, Chain, ChainError, DType, Error, Gpu, Kernels, Layout, Memory, Operand, OperandError,
    Operands, Pass, describe,
};
use std::fs;
use std::path::Path;

fn main() {
    common::main(|trials| {
        trials.add("a_list_is_compiled_ahead", a_list_is_compiled_ahead);
        trials.add("a_pipeline_cache_is_kept", a_pipeline_cache_is_kept);
    });
}

/// Each plan is in its place, and each error; what is in the list twice compiles once; binding compiles nothing then.
fn a_list_is_compiled_ahead(gpu: &Gpu) -> Result<(), Failed> {
    let kernels = Kernels::new(gpu.device());
    assert!(kernels.compile_ahead(&[]).is_empty());
    let texts = ["mish", "scale(1) | mish", "scale(2) | mish", "gelu", "mish"];
    let chains = texts.map(|text| text.parse::<Chain>().unwrap());
    let learned: Chain = "prelu(weight=@w)".parse()?;
    let layout = Layout {
        outer: 2,
        channels: 128,
        inner: 1,
    };
    let external = |id, len: u64| {
        let size = 4 * len;
        Operand::in_memory(Memory::External { id, size }, 0, len)
    };
    let passed = || {
        let operands = Operands::new().x(external(0, 256)).y(external(1, 256));
        operands.layout(layout)
    };
    let forward = |chain| Ahead::new(chain, Pass::Forward, DType::F32);
    let mut wanted: Vec<_> = chains.iter().map(forward).collect();
    let empty = Chain::new();
    let weight = passed().arg("w", external(2, 128), DType::F32);
    wanted.push(forward(&learned).bound_to(weight));
    wanted.push(forward(&learned).bound_to(passed()));
    wanted.push(forward(&empty));
    let plans = kernels.compile_ahead(&wanted);
    // mish, scale | mish, gelu, and prelu for values per channel.
    assert_eq!(kernels.compiled(), 4);
    assert!(!kernels.compile_time().is_zero());
    let [.., prelu, no_weight, no_steps] = &plans[..] else {
        return Err("as many plans as were wanted".into());
    };
    for (plan, chain) in plans.iter().zip(&chains) {
        let own = kernels.plan(chain, Pass::Forward, DType::F32)?;
        assert_eq!(plan.as_ref().unwrap().wgsl(), own.wgsl());
    }
    let missing = OperandError::Missing {
        pass: Pass::Forward,
        operand: "@w".into(),
    };
    assert_eq!(no_weight.as_ref().err(), Some(&Error::Operand(missing)));
    assert_eq!(
        no_steps.as_ref().err(),
        Some(&Error::Chain(ChainError::Empty))
    );

    let buffers = [256, 256, 128].map(|len| {
        gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 4 * len,
            usage: BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    });
    let at = |index: usize, len| Operand::new(&buffers[index], 0, len);
    let operands = Operands::new().x(at(0, 256)).y(at(1, 256)).layout(layout);
    let prelu = prelu.as_ref().unwrap();
    prelu.bind(operands.arg("w", at(2, 128), DType::F32))?;
    assert_eq!(kernels.compiled(), 4);
    Ok(())
}

/// Where there are pipeline caches a file appears when something was compiled; a spoiled one harms nothing and is replaced;
/// nothing is written elsewhere, and what cannot be written is told to who asks.
fn a_pipeline_cache_is_kept(gpu: &Gpu) -> Result<(), Failed> {
    let info = gpu.device().adapter_info();
    let name = format!(
        "nonlin-{:?}-{}-{}",
        info.backend,
        info.vendor,
        std::process::id()
    );
    let folder = std::env::temp_dir().join(name);
    let kept = in_folder(gpu, &folder);
    _ = fs::remove_dir_all(&folder);
    kept
}

fn in_folder(gpu: &Gpu, folder: &Path) -> Result<(), Failed> {
    let info = gpu.device().adapter_info();
    let builder = || Gpu::builder().adapter(describe(&info));
    let silu: Chain = "silu".parse()?;
    let x = [1.0f32, -2.0, 3.0];
    let wanted = gpu.forward(&silu, &x)?;
    let files = || {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };

    let opened = builder().cache(folder).open()?;
    assert_eq!(files().len(), 0, "nothing is compiled yet");
    assert_eq!(opened.forward(&silu, &x)?, wanted);
    if info.backend != Backend::Vulkan {
        assert_eq!(files().len(), 0);
        return Ok(());
    }
    let [file] = &files()[..] else {
        return Err(format!("one file, not {:?}", files()).into());
    };
    let whole = fs::read(file)?;

    // Nothing was compiled since: there is nothing to write.
    fs::remove_file(file)?;
    assert_eq!(opened.forward(&silu, &x)?, wanted);
    assert_eq!(files().len(), 0);
    opened.kernels().plan(&silu, Pass::Backward, DType::F32)?;
    assert_eq!(files().len(), 0, "plans alone write nothing");
    opened.write_cache()?;
    assert_eq!(files().len(), 1);

    let mut spoiled = whole.clone();
    *spoiled.last_mut().ok_or("it is empty")? ^= 1;
    for content in [whole, spoiled, b"something else".to_vec(), Vec::new()] {
        fs::write(file, &content)?;
        // A geometry of one's own goes through the cache too.
        let opened = builder().cache(folder).open()?;
        let opened = opened.with_geometry(gpu.kernels().geometry())?;
        assert_eq!(opened.forward(&silu, &x)?, wanted);
        let now = fs::read(file)?;
        assert!(
            now.len() > 100 && now.starts_with(b"nonlin cache 1"),
            "{now:?}"
        );
    }

    let nowhere = builder().cache(file.join("below a file")).open()?;
    assert_eq!(nowhere.forward(&silu, &x)?, wanted);
    nowhere.kernels().plan(&silu, Pass::Backward, DType::F32)?;
    assert!(nowhere.write_cache().is_err());
    Ok(())
}
