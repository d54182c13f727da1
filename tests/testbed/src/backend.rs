//! Real servers and their clients: a TCP service that tells its name.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Host;

/// How long one step of a conversation may take.
const LIMIT: Duration = Duration::from_secs(5);

/// A service in a host that answers every connection with its name and closes it; dropping it closes its port.
pub struct Backend {
    stop: Arc<AtomicBool>,
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
        let listener = listener.unwrap_or_else(|e| panic!("{address}: {e}"));
        listener.set_nonblocking(true).unwrap_or_else(|e| panic!("{address}: {e}"));
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (Arc::clone(&stop), name.to_owned());
        let thread = std::thread::spawn(move || serve(&listener, &name, &stopped));
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, name: &str, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok((mut stream, _)) => {
                let _ = stream.write_all(name.as_bytes());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
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
