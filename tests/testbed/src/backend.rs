//! Real servers and their clients: a TCP service that tells its name.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};

use crate::Host;

/// How long one step of a conversation may take.
const LIMIT: Duration = Duration::from_secs(5);

/// A service in a host that answers every connection with its name and closes it; dropping it closes its port.
pub struct Backend {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

impl Backend {
    /// Starts to listen.
    ///
    /// # Panics
    /// When the address cannot be had.
    #[track_caller]
    pub fn start(host: &Host, address: &str, name: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap_or_else(|e| panic!("{address}: {e}"));
        let listener = host.inside(|| TcpListener::bind(address));
        let listener = Arc::new(listener.unwrap_or_else(|e| panic!("{address}: {e}")));
        let (served, name) = (Arc::clone(&listener), name.to_owned());
        let thread = std::thread::spawn(move || {
            while let Ok((mut stream, _)) = served.accept() {
                let _ = stream.write_all(name.as_bytes());
            }
        });
        Self { listener, thread: Some(thread) }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // On Linux this ends the accept that waits.
        let _ = shutdown(self.listener.as_raw_fd(), Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Connects from a host, and returns what the other side says.
pub fn ask(host: &Host, address: &str) -> io::Result<String> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    host.inside(|| {
        let stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut answer = Vec::new();
        stream.take(256).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    })
}
