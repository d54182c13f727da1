use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use nix::unistd::getegid;

use super::*;
use crate::spawn::tests::scratch;

fn place(path: &Path) -> Place {
    Place {
        path: path.to_str().unwrap().to_owned(),
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
    }
}

fn open(path: &Path) -> Option<Fifo> {
    Fifo::open(FifoKind::Vrrp, &place(path))
}

fn reader(path: &PathBuf) -> File {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap()
}

fn read_all(file: &mut File) -> String {
    let mut bytes = Vec::new();
    // At the end of what is there: end of file or "would block".
    file.read_to_end(&mut bytes).ok();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_line_is_what_readers_parse() {
    assert_eq!(vrrp_line("INSTANCE", "VI_1", "MASTER", 150), "INSTANCE \"VI_1\" MASTER 150\n");
    assert_eq!(vrrp_line("GROUP", "G", "FAULT", 0), "GROUP \"G\" FAULT 0\n");
}

#[test]
fn it_is_created_for_everybody_to_read_and_removed_on_close() {
    let path = scratch("fifo");
    let mut fifo = open(&path).unwrap();
    let made = fs::metadata(&path).unwrap();
    assert!(made.file_type().is_fifo());
    assert_eq!(made.mode() & 0o777 & !0o644, 0);
    fifo.write("before a reader\n");
    let mut file = reader(&path);
    fifo.write("after\n");
    assert_eq!(read_all(&mut file), "before a reader\nafter\n");
    assert!(fifo.is_in_place());
    drop(fifo);
    assert!(!path.exists());
}

#[test]
fn one_that_was_there_stays_there() {
    let path = scratch("fifo");
    mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
    let fifo = open(&path).unwrap();
    drop(fifo);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    fs::remove_file(&path).unwrap();
}

#[test]
fn what_is_not_our_fifo_is_refused() {
    let file = scratch("file");
    fs::write(&file, "").unwrap();
    assert!(open(&file).is_none());
    let fifo = scratch("fifo");
    mkfifo(&fifo, Mode::from_bits_truncate(0o666)).unwrap();
    let link = scratch("link");
    symlink(&fifo, &link).unwrap();
    assert!(open(&link).is_none(), "a link");
    assert!(open(Path::new("/no/such/directory/fifo")).is_none());
    if geteuid().is_root() {
        std::os::unix::fs::chown(&fifo, Some(7), None).unwrap();
        assert!(open(&fifo).is_none(), "somebody else's");
        let theirs = Place { uid: 7, ..place(&fifo) };
        assert!(Fifo::open(FifoKind::Global, &theirs).is_some());
        fs::remove_file(&fifo).unwrap();
        let made = Fifo::open(FifoKind::Global, &theirs).unwrap();
        assert_eq!(fs::metadata(&fifo).unwrap().uid(), 7, "created for its user");
        drop(made);
    } else {
        fs::remove_file(&fifo).unwrap();
    }
    fs::remove_file(&file).unwrap();
    fs::remove_file(&link).unwrap();
}

#[test]
fn a_full_pipe_loses_whole_lines_and_counts_them() {
    let path = scratch("fifo");
    let mut fifo = open(&path).unwrap();
    let mut file = reader(&path);
    let line = |n: usize| format!("{n:>99}\n");
    let mut written = 0;
    while fifo.dropped() == 0 {
        fifo.write(&line(written));
        written += 1;
    }
    fifo.write(&line(0));
    assert_eq!(fifo.dropped(), 2);
    let text = read_all(&mut file);
    assert_eq!(text.len() % 100, 0, "no line was cut");
    assert_eq!(text.len() / 100, written - 1);
    assert_eq!(text, (0..written - 1).map(line).collect::<String>());
    fifo.write("room again\n");
    assert_eq!(read_all(&mut file), "room again\n");
    fifo.write(&"x".repeat(ATOMIC + 1));
    assert_eq!((fifo.dropped(), read_all(&mut file).len()), (3, 0), "too long to be atomic");
}

#[test]
fn somebody_elses_pipe_in_our_place_is_not_removed() {
    let path = scratch("fifo");
    let fifo = open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!fifo.is_in_place());
    drop(fifo);
    assert!(path.exists());
    fs::remove_file(&path).unwrap();
}
