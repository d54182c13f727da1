//! The qemu process.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::record::Record;
use super::{Job, Suite, image};
use crate::leftovers::{prefix, sweep_folders, temporary};

/// The emulator.
pub(super) const QEMU: &str = "qemu-system-x86_64";

const MEMORY: &str = "768M";

/// Two processors in two threads, without the host's virtualisation; the kernel's messages go to a
/// file, the tests' records to standard output.
const MACHINE: &str = "-accel tcg,thread=multi -cpu qemu64 -smp 2 -no-reboot -display none -nodefaults \
    -device virtio-serial-pci -chardev file,id=records,path=/dev/stdout \
    -device virtserialport,chardev=records";

const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr";

/// How much of the console is shown when the guest fails.
const CONSOLE_TAIL: usize = 8 * 1024;

/// A running guest; dropping it ends it.
pub(super) struct Machine {
    child: Child,
    folder: PathBuf,
    records: Receiver<Record>,
}

impl Machine {
    /// Packs the guest and starts it.
    #[track_caller]
    pub(super) fn boot(suite: &Suite, jobs: &[&Job], at_once: usize) -> Self {
        sweep_folders();
        let folder = temporary().join(format!("{}guest", prefix()));
        fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let vmlinuz = image::vmlinuz(&suite.kernel)
            .unwrap_or_else(|| panic!("no kernel in {}", suite.kernel.display()));
        let initramfs = folder.join("initramfs");
        let file = File::create(&initramfs).map(BufWriter::new);
        file.and_then(|mut file| {
            image::build(suite, &vmlinuz, jobs, at_once).write(&mut file)?;
            file.flush()
        })
        .unwrap_or_else(|e| panic!("{}: {e}", initramfs.display()));

        // The emulator dies with this thread, and a Ctrl-C reaches only us.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", QEMU])
            .args(MACHINE.split_whitespace())
            .args(["-m", MEMORY, "-append", KERNEL_ARGUMENTS])
            .arg("-kernel")
            .arg(vmlinuz)
            .arg("-initrd")
            .arg(&initramfs)
            .arg("-serial")
            .arg(format!("file:{}", folder.join("console").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("{QEMU}: {e}"));
        let (sender, records) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || forward(output, &sender));
        }
        Self { child, folder, records }
    }

    /// The guest's records, as they come; disconnected when it is gone.
    pub(super) fn records(&mut self) -> &Receiver<Record> {
        &self.records
    }

    /// The end of what the kernel and the first process said.
    pub(super) fn console(&self) -> String {
        let bytes = fs::read(self.folder.join("console")).unwrap_or_default();
        let tail = &bytes[bytes.len().saturating_sub(CONSOLE_TAIL)..];
        format!("---- console ----\n{}----", String::from_utf8_lossy(tail))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn forward(output: ChildStdout, sender: &Sender<Record>) {
    let mut input = BufReader::new(output);
    loop {
        match Record::read(&mut input) {
            Ok(Some(record)) => {
                if sender.send(record).is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                eprintln!("{error}");
                return;
            }
        }
    }
}
