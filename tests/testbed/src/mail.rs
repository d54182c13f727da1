//! A mail server that keeps what it gets, and behaves as badly as a test wants.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::{Host, wait_for};

/// How often threads look whether they are to end.
const LOOK: Duration = Duration::from_millis(20);

/// What the server does when it is its turn to speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What a good server says.
    Usual,
    /// These bytes instead.
    Text(String),
    /// What a good server says, in as many packets as there are bytes.
    Pieces,
    /// Nothing, for as long as the client stays.
    Silence,
    /// It closes the connection.
    Close,
}

/// A mail as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Argument of HELO or EHLO.
    pub helo: String,
    /// Between the angle brackets of MAIL.
    pub from: String,
    /// Between those of each RCPT that was answered well.
    pub to: Vec<String>,
    /// The text, with LF at line ends and single dots.
    pub text: String,
}

impl Mail {
    /// A header's value with its continuation lines, as it stands in the mail.
    ///
    /// # Panics
    /// When there is no such header.
    #[track_caller]
    pub fn header(&self, name: &str) -> String {
        let (headers, _) = self.text.split_once("\n\n").unwrap_or((&self.text, ""));
        let start = format!("{name}: ");
        let joined = headers.replace("\n ", " ");
        let found = joined.lines().find_map(|line| line.strip_prefix(&start));
        found.unwrap_or_else(|| panic!("no {name} in:\n{}", self.text)).to_owned()
    }

    /// The names of the headers, in order.
    pub fn header_names(&self) -> Vec<&str> {
        let (headers, _) = self.text.split_once("\n\n").unwrap_or((&self.text, ""));
        let lines = headers.lines().filter(|line| !line.starts_with(' '));
        lines.filter_map(|line| line.split(':').next()).collect()
    }

    /// What follows the headers.
    pub fn body(&self) -> &str {
        self.text.split_once("\n\n").map_or("", |(_, body)| body)
    }
}

type Manner = dyn Fn(usize, &str) -> Answer + Send + Sync;

#[derive(Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    connections: AtomicUsize,
    stop: AtomicBool,
}

/// The server, on port 25 of its host.
pub struct MailServer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl MailServer {
    /// Starts it. `manner` is asked before each answer, with the number of the connection (from 0) and
    /// what is answered: `CONNECT`, the command line, or `.` for the end of a mail.
    #[track_caller]
    pub fn start(
        host: &Host,
        manner: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let network = host.network();
        let shared = Arc::new(Shared::default());
        let manner: Arc<Manner> = Arc::new(manner);
        let listener = host.inside(|| TcpListener::bind("[::]:25"));
        let listener = listener.unwrap_or_else(|e| panic!("mail server: {e}"));
        listener.set_nonblocking(true).unwrap_or_else(|e| panic!("mail server: {e}"));
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            network.enter();
            serve(&listener, &served, &manner);
        });
        Self { shared, thread: Some(thread) }
    }

    /// The mails it accepted so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has accepted that many.
    #[track_caller]
    pub fn wait_mails(&self, count: usize) -> Vec<Mail> {
        wait_for(&format!("{count} mails"), || self.mails().len() >= count);
        self.mails()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>, manner: &Arc<Manner>) {
    let mut sessions = Vec::new();
    while !shared.stop.load(Ordering::SeqCst) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(LOOK);
            continue;
        };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let (shared, manner) = (Arc::clone(shared), Arc::clone(manner));
        sessions.push(std::thread::spawn(move || {
            let mut session = Session { stream, number, shared, manner, pending: Vec::new() };
            let _ = session.run();
        }));
    }
    for session in sessions {
        let _ = session.join();
    }
}

struct Session {
    stream: TcpStream,
    number: usize,
    shared: Arc<Shared>,
    manner: Arc<Manner>,
    pending: Vec<u8>,
}

impl Session {
    /// Ends with an error when the client goes, too.
    fn run(&mut self) -> std::io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(LOOK))?;
        let mut mail = Mail { helo: "".into(), from: "".into(), to: vec![], text: "".into() };
        self.answer("CONNECT", "220 mail ESMTP\r\n")?;
        loop {
            let line = self.line()?;
            let (command, rest) = line.split_at_checked(4).unwrap_or((&line, ""));
            let argument = || {
                let inside = rest.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
                inside.map_or_else(|| rest.trim().to_owned(), |(inside, _)| inside.to_owned())
            };
            match command {
                "HELO" | "EHLO" => {
                    mail.helo = argument();
                    self.answer(&line, "250 hello\r\n")?;
                }
                "MAIL" => {
                    mail.from = argument();
                    self.answer(&line, "250 ok\r\n")?;
                }
                "RCPT" => {
                    if self.answer(&line, "250 ok\r\n")? {
                        mail.to.push(argument());
                    }
                }
                "DATA" => {
                    if self.answer(&line, "354 go on\r\n")? {
                        mail.text = self.text()?;
                        if self.answer(".", "250 kept\r\n")? {
                            let mails = self.shared.mails.lock();
                            mails.unwrap_or_else(PoisonError::into_inner).push(mail.clone());
                        }
                    }
                }
                "QUIT" => {
                    self.answer(&line, "221 bye\r\n")?;
                    return Ok(());
                }
                _ => {
                    self.answer(&line, "500 what\r\n")?;
                }
            }
        }
    }

    /// Whether that was a good answer.
    fn answer(&mut self, to: &str, usual: &str) -> std::io::Result<bool> {
        match (self.manner)(self.number, to) {
            Answer::Usual => self.stream.write_all(usual.as_bytes())?,
            Answer::Text(text) => {
                self.stream.write_all(text.as_bytes())?;
                return Ok(text.starts_with(['2', '3']));
            }
            Answer::Pieces => {
                for byte in usual.as_bytes() {
                    self.stream.write_all(&[*byte])?;
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            Answer::Silence => loop {
                self.line()?;
            },
            Answer::Close => return Err(ErrorKind::ConnectionAborted.into()),
        }
        Ok(true)
    }

    fn text(&mut self) -> std::io::Result<String> {
        let mut text = String::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Ok(text);
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push('\n');
        }
    }

    fn line(&mut self) -> std::io::Result<String> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.pending.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.pending.extend(&buffer[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.shared.stop.load(Ordering::SeqCst) {
                        return Err(ErrorKind::Interrupted.into());
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }
}
