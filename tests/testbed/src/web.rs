//! Small web servers and clients in hosts, for whoever wants to see where a request ends up.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Host;

/// A service on port 80 of a host that answers every request with the host's name.
pub struct Service {
    _thread: Background,
}

impl Service {
    /// Starts it.
    pub fn start(host: &Host) -> Self {
        let listener = host.inside(|| TcpListener::bind(("0.0.0.0", 80)));
        let listener = listener.unwrap_or_else(|e| panic!("port 80 in {}: {e}", host.name()));
        if let Err(error) = listener.set_nonblocking(true) {
            panic!("port 80 in {}: {error}", host.name());
        }
        let name = host.name().to_owned();
        let thread = Background::start(host, move || {
            if let Ok((stream, _)) = listener.accept() {
                // A client that does not read its answer is no concern of ours.
                let _ = answer(stream, &name);
            }
        });
        Self { _thread: thread }
    }
}

fn answer(mut stream: TcpStream, name: &str) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut request = [0; 256];
    let _ = stream.read(&mut request)?;
    write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len())
}

/// One request to port 80 of `address`: the body of the answer.
///
/// # Errors
/// There was none within a moment.
pub fn ask(address: &str) -> io::Result<String> {
    let address: SocketAddr = format!("{address}:80").parse().map_err(io::Error::other)?;
    let patience = Duration::from_millis(50);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let body = reply.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.filter(|name| !name.is_empty()).ok_or_else(|| io::Error::other("no answer"))
}

/// A thread in a host that does one thing over and over until it is dropped.
pub struct Background {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts it.
    pub fn start(host: &Host, mut step: impl FnMut() + Send + 'static) -> Self {
        let network = host.network();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            network.enter();
            while !stopped.load(Ordering::Relaxed) {
                step();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
