//! The system's package manager: which one is here, and how it installs.

use std::env;
use std::process::Command;

use crate::shell::{Shell, Step, Stop};

/// A system's package manager, and what Mesa's drivers are called there.
pub(crate) struct Manager {
    pub(crate) program: &'static str,
    /// Brings the list of packages up to date, where installing doesn't do so.
    refresh: &'static [&'static str],
    install: &'static [&'static str],
    pub(crate) lavapipe: &'static [&'static str],
    pub(crate) llvmpipe: &'static [&'static str],
}

const MANAGERS: &[Manager] = &[
    Manager {
        program: "apt-get",
        refresh: &["update"],
        // Waits for another installation to end: fresh machines often update themselves.
        install: &[
            "install",
            "-y",
            "--no-install-recommends",
            "-o",
            "DPkg::Lock::Timeout=300",
        ],
        lavapipe: &["mesa-vulkan-drivers", "libvulkan1"],
        llvmpipe: &["libegl1", "libgl1-mesa-dri", "libgles2"],
    },
    Manager {
        program: "dnf",
        refresh: &[],
        install: &["install", "-y"],
        lavapipe: &["mesa-vulkan-drivers", "vulkan-loader"],
        llvmpipe: &["mesa-libEGL", "mesa-dri-drivers"],
    },
    Manager {
        program: "pacman",
        refresh: &[],
        install: &["-S", "--noconfirm", "--needed"],
        lavapipe: &["vulkan-swrast", "vulkan-icd-loader"],
        llvmpipe: &["mesa"],
    },
    Manager {
        program: "zypper",
        refresh: &[],
        install: &["--non-interactive", "install"],
        lavapipe: &["libvulkan_lvp", "libvulkan1"],
        llvmpipe: &["Mesa-libEGL1", "Mesa-dri"],
    },
    Manager {
        program: "apk",
        refresh: &[],
        install: &["add", "--no-cache"],
        lavapipe: &["mesa-vulkan-swrast", "vulkan-loader"],
        llvmpipe: &["mesa-egl", "mesa-dri-gallium", "mesa-gles"],
    },
];

impl Manager {
    /// The first package manager that `exists`.
    pub(crate) fn find(exists: impl Fn(&str) -> bool) -> Option<&'static Self> {
        MANAGERS.iter().find(|manager| exists(manager.program))
    }

    fn refresh(&self, prefix: &[&str]) -> Option<Step> {
        let line = [prefix, &[self.program], self.refresh].concat();
        (!self.refresh.is_empty()).then(|| Step::new("refresh", "the list of packages", &line))
    }

    fn install(&self, prefix: &[&str], packages: &[&str]) -> Step {
        let line = [prefix, &[self.program], self.install, packages].concat();
        Step::new(
            "install",
            "software drivers, through the system's package manager",
            &line,
        )
    }
}

pub(crate) fn install_packages(
    shell: &mut Shell,
    manager: &Manager,
    packages: &[&str],
) -> Result<(), Stop> {
    let Some(prefix) = as_root() else {
        let lines = by_hand(manager, packages);
        return Err(Stop::new(
            2,
            format!("installing needs root; let root run:\n{lines}"),
        ));
    };
    println!(
        "Installing with {} (`--no-install` would refuse).",
        manager.program
    );
    refresh(shell, manager);
    shell.run(&manager.install(prefix, packages))
}

/// Where this fails, installing may work all the same: one of many sources may be down.
pub(crate) fn refresh(shell: &mut Shell, manager: &Manager) {
    if let Some(step) = as_root().and_then(|prefix| manager.refresh(prefix))
        && let Err(stop) = shell.run(&step)
    {
        println!("{}; going on", stop.message);
    }
}

/// The lines that install `packages`, for the user to type.
pub(crate) fn by_hand(manager: &Manager, packages: &[&str]) -> String {
    let prefix = as_root().unwrap_or(&[]);
    let steps = manager
        .refresh(prefix)
        .into_iter()
        .chain([manager.install(prefix, packages)]);
    steps.map(|step| format!("  $ {step}\n")).collect()
}

/// What to put in front of a command that needs root; nothing can be if there is no `sudo`.
fn as_root() -> Option<&'static [&'static str]> {
    let user = Command::new("id").arg("-u").output();
    if user.is_ok_and(|output| output.stdout.trim_ascii() == b"0") {
        Some(&[])
    } else {
        on_path("sudo").then_some(&["sudo"])
    }
}

pub(crate) fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(program: &str, prefix: &[&str]) -> Vec<String> {
        let manager = Manager::find(|name| name == program).unwrap();
        let install = manager.install(prefix, manager.lavapipe);
        manager
            .refresh(prefix)
            .iter()
            .chain([&install])
            .map(Step::to_string)
            .collect()
    }

    #[test]
    fn package_manager_lines() {
        assert_eq!(
            lines("apt-get", &["sudo"]),
            [
                "sudo apt-get update",
                "sudo apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
                 mesa-vulkan-drivers libvulkan1",
            ]
        );
        assert_eq!(
            lines("dnf", &[]),
            ["dnf install -y mesa-vulkan-drivers vulkan-loader"]
        );
        assert_eq!(
            lines("pacman", &["sudo"]),
            ["sudo pacman -S --noconfirm --needed vulkan-swrast vulkan-icd-loader"]
        );
        assert!(Manager::find(|_| false).is_none());
        assert_eq!(Manager::find(|_| true).unwrap().program, "apt-get");
    }
}
