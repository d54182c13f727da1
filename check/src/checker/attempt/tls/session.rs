//! Connections with TLS.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    self, ErrorCode, Ssl, SslContext, SslMethod, SslMode, SslStream, SslVerifyMode,
};
use socket2::Socket;

use super::super::stream::conversation::{Direction, Step};
use super::sys;
use crate::settings::TlsSettings;

/// `SSL_R_UNEXPECTED_EOF_WHILE_READING` of `openssl/sslerr.h`.
const UNEXPECTED_EOF: i32 = 294;
/// Most bytes of a file that is read.
const FILE: u64 = 4 << 20;

/// What all connections with TLS have in common.
pub(crate) struct Context(SslContext);

impl Context {
    /// A client as the `SSL` block says, or with the library's defaults.
    ///
    /// # Errors
    /// A file cannot be used; the text is what the daemon says before it gives up.
    pub(crate) fn new(settings: Option<&TlsSettings>) -> Result<Context, String> {
        sys::start();
        let mut builder = SslContext::builder(SslMethod::tls_client())
            .map_err(|error| format!("SSL error : {error}"))?;
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_mode(SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
        let settings = settings.cloned().unwrap_or_default();
        let cannot = |what: &str| format!("SSL error : Cant load {what}...");
        let named = [
            ("certificate file", &settings.certificate),
            ("key file", &settings.key),
            ("CA file", &settings.ca),
        ];
        for (what, file) in named {
            if file.as_deref().is_some_and(|file| !is_short_file(file)) {
                return Err(cannot(what));
            }
        }
        if let Some(file) = &settings.certificate {
            builder.set_certificate_chain_file(file).map_err(|_| cannot("certificate file"))?;
        }
        if let Some(file) = &settings.key {
            let password = settings.password.as_deref().unwrap_or_default();
            let key = private_key(file, password.as_bytes()).ok_or_else(|| cannot("key file"))?;
            builder.set_private_key(&key).map_err(|_| cannot("key file"))?;
        }
        if let Some(file) = &settings.ca {
            builder.set_ca_file(file).map_err(|_| cannot("CA file"))?;
        }
        Ok(Context(builder.build()))
    }

    /// A connection on `socket`, which is connected; `name` is sent as SNI. A compliant one is taken
    /// leave of before it is closed.
    ///
    /// # Errors
    /// No memory, or a name that cannot be sent.
    pub(crate) fn session(
        &self,
        socket: Socket,
        name: Option<&str>,
        compliant: bool,
    ) -> Result<Session, String> {
        let make = || -> Result<SslStream<Socket>, ErrorStack> {
            let mut ssl = Ssl::new(&self.0)?;
            if let Some(name) = name {
                ssl.set_hostname(name)?;
            }
            SslStream::new(ssl, socket)
        };
        let stream = make().map_err(|error| format!("SSL error : {error}"))?;
        Ok(Session { stream, compliant, oddity: None })
    }
}

/// Whether it can be read without waiting: a FIFO or a device may have no end.
fn is_short_file(file: &str) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() <= FILE)
}

/// The first private key of a PEM file. Without its pass phrase it is not asked for on a terminal.
fn private_key(file: &str, password: &[u8]) -> Option<PKey<openssl::pkey::Private>> {
    let pem = fs::read(file).ok()?;
    PKey::private_key_from_pem_callback(&pem, |buffer| {
        let Some(room) = buffer.get_mut(..password.len()) else { return Ok(0) };
        room.copy_from_slice(password);
        Ok(password.len())
    })
    .ok()
}

/// One connection.
pub(crate) struct Session {
    stream: SslStream<Socket>,
    compliant: bool,
    oddity: Option<String>,
}

impl Session {
    pub(crate) fn fd(&self) -> RawFd {
        self.stream.get_ref().as_raw_fd()
    }

    /// Agrees with the server on how to talk.
    pub(crate) fn shake(&mut self) -> Step<()> {
        match self.stream.connect() {
            Ok(()) => Step::Done(()),
            Err(error) => waits(error),
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Step<usize> {
        let error = match self.stream.ssl_read(buffer) {
            Ok(count) => return Step::Done(count),
            Err(error) => error,
        };
        if error.code() == ErrorCode::ZERO_RETURN {
            return Step::Done(0);
        }
        // Servers that close without a word of leave are accepted.
        if let Some(oddity) = cut_off(&error) {
            self.oddity = Some(oddity);
            return Step::Done(0);
        }
        waits(error)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Step<usize> {
        match self.stream.ssl_write(bytes) {
            Ok(count) => Step::Done(count),
            Err(error) => waits(error),
        }
    }

    /// Takes leave, if it is to be compliant. Whether the server hears of it does not matter.
    pub(crate) fn close(&mut self) {
        if self.compliant {
            let _ = self.stream.shutdown();
        }
    }

    /// What was odd about how the server closed.
    pub(crate) fn oddity(&self) -> Option<&str> {
        self.oddity.as_deref()
    }
}

fn waits<T>(error: ssl::Error) -> Step<T> {
    match error.code() {
        ErrorCode::WANT_READ => Step::Wait(Direction::Read),
        ErrorCode::WANT_WRITE => Step::Wait(Direction::Write),
        _ => Step::Failed(match error.into_io_error() {
            Ok(error) => error,
            Err(error) => io::Error::other(error),
        }),
    }
}

/// What to say of an end without close_notify, if it is one.
fn cut_off(error: &ssl::Error) -> Option<String> {
    let Some(stack) = error.ssl_error() else {
        let ended = error.code() == ErrorCode::SYSCALL && error.io_error().is_none();
        return ended.then(|| "unexpected eof".into());
    };
    let eof = stack.errors().iter().find(|error| error.reason_code() == UNEXPECTED_EOF)?;
    let library = eof.library().unwrap_or_default();
    Some(format!("error:{:08X}:{library}::{}", eof.code(), eof.reason().unwrap_or_default()))
}
