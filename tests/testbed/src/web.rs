//! Small web servers and clients in hosts, for whoever wants to see where a request ends up.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};

use crate::Host;

/// A service in a host that answers every request with the host's name; dropping it closes its port.
pub struct Service {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts it on port 80.
    #[track_caller]
    pub fn start(host: &Host) -> Self {
        Self::start_on(host, 80)
    }

    /// Starts it on a port, of IPv4 and IPv6.
    ///
    /// # Panics
    /// When the port is taken.
    #[track_caller]
    pub fn start_on(host: &Host, port: u16) -> Self {
        let listener = host.inside(|| TcpListener::bind(("::", port)));
        let listener = listener.unwrap_or_else(|e| panic!("port {port} in {}: {e}", host.name()));
        let listener = Arc::new(listener);
        let (served, name) = (Arc::clone(&listener), host.name().to_owned());
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = served.accept() {
                // A client that does not read its answer is no concern of ours.
                let _ = answer(stream, &name);
            }
        });
        Self { listener, thread: Some(thread) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // On Linux this ends the accept that waits.
        let _ = shutdown(self.listener.as_raw_fd(), Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream, name: &str) -> io::Result<()> {
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
    ask_patiently(address, Duration::from_millis(50))
}

/// As [`ask`], with a limit for each step.
///
/// # Errors
/// There was no answer in time.
pub fn ask_patiently(address: &str, patience: Duration) -> io::Result<String> {
    let address: SocketAddr = format!("{address}:80").parse().map_err(io::Error::other)?;
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
