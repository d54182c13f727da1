//! A connection to a mail server, in the clear or (feature `tls`) under TLS. Never waits.

use std::io::{self, Read, Write};
#[cfg(feature = "tls")]
use std::net::IpAddr;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Encryption;

/// Whether this build can do TLS.
pub(crate) const HAS_TLS: bool = cfg!(feature = "tls");

/// What a handshake waits for.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "no handshake takes place"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    Done,
    Read,
    Write,
}

/// The connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Secure(Box<openssl::ssl::SslStream<TcpStream>>),
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stream").field(&self.fd()).finish()
    }
}

impl Stream {
    /// Begins to connect; the socket becomes writable when that has ended.
    ///
    /// # Errors
    /// No socket to be had, or the network is known to be unreachable.
    pub fn connect(address: SocketAddr) -> io::Result<Stream> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            _ => Ok(Stream::Plain(socket.into())),
        }
    }

    /// How the attempt to connect ended.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn connected(&self) -> io::Result<()> {
        self.tcp().take_error()?.map_or(Ok(()), Err)
    }

    /// Its descriptor.
    pub fn fd(&self) -> RawFd {
        self.tcp().as_raw_fd()
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Stream::Plain(tcp) => tcp,
            #[cfg(feature = "tls")]
            Stream::Secure(tls) => tls.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.read(buffer),
            #[cfg(feature = "tls")]
            Stream::Secure(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.write(bytes),
            #[cfg(feature = "tls")]
            Stream::Secure(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "tls")]
mod tls {
    use openssl::ssl::{
        ErrorCode, Ssl, SslConnector, SslContext, SslMethod, SslOptions, SslStream, SslVerifyMode,
    };

    use super::{Encryption, Handshake, IpAddr, Stream, io};

    /// What all connections share. Made when the configuration is read: the certificates of the
    /// system's authorities take a while to load, so they are only where somebody looks at them.
    pub(crate) enum Tls {
        Verifying(SslConnector),
        Trusting(SslContext),
    }

    impl std::fmt::Debug for Tls {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Tls")
        }
    }

    impl Tls {
        /// For connections of this kind.
        ///
        /// # Errors
        /// What OpenSSL says.
        pub fn new(encryption: Encryption) -> io::Result<Tls> {
            if encryption == Encryption::Verified {
                return Ok(Tls::Verifying(SslConnector::builder(SslMethod::tls_client())?.build()));
            }
            let mut builder = SslContext::builder(SslMethod::tls_client())?;
            builder.set_options(SslOptions::NO_COMPRESSION);
            Ok(Tls::Trusting(builder.build()))
        }

        /// As for [`Encryption::Verified`], with this certificate as the only authority.
        #[cfg(test)]
        pub fn trusting(certificate: openssl::x509::X509) -> Tls {
            let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
            let mut store = openssl::x509::store::X509StoreBuilder::new().unwrap();
            store.add_cert(certificate).unwrap();
            builder.set_cert_store(store.build());
            Tls::Verifying(builder.build())
        }

        /// Puts a connection under TLS; [`Stream::shake`] follows.
        ///
        /// # Errors
        /// What OpenSSL says.
        pub fn wrap(&self, stream: Stream, host: &str) -> io::Result<Stream> {
            let Stream::Plain(tcp) = stream else { return Ok(stream) };
            let host = host.trim_end_matches('.');
            let ssl = match self {
                Tls::Verifying(connector) => connector.configure()?.into_ssl(host)?,
                Tls::Trusting(context) => {
                    let mut ssl = Ssl::new(context)?;
                    // An address is no server name (RFC 6066 section 3).
                    if host.parse::<IpAddr>().is_err() {
                        ssl.set_hostname(host)?;
                    }
                    ssl
                }
            };
            Ok(Stream::Secure(Box::new(SslStream::new(ssl, tcp)?)))
        }
    }

    impl Stream {
        /// Goes on with the handshake.
        ///
        /// # Errors
        /// It failed: the certificate is not trusted, or the two have no cipher in common.
        pub fn shake(&mut self) -> io::Result<Handshake> {
            let Stream::Secure(tls) = self else { return Ok(Handshake::Done) };
            match tls.connect() {
                Ok(()) => Ok(Handshake::Done),
                Err(error) if error.code() == ErrorCode::WANT_READ => Ok(Handshake::Read),
                Err(error) if error.code() == ErrorCode::WANT_WRITE => Ok(Handshake::Write),
                Err(error) => {
                    let verdict = tls.ssl().verify_result();
                    if tls.ssl().verify_mode() != SslVerifyMode::NONE
                        && verdict != openssl::x509::X509VerifyResult::OK
                    {
                        return Err(io::Error::other(verdict.error_string()));
                    }
                    Err(io::Error::other(error))
                }
            }
        }
    }
}

#[cfg(not(feature = "tls"))]
mod tls {
    use super::{Encryption, Handshake, Stream, io};

    /// Nothing, in a build without TLS; STARTTLS is not asked for then.
    #[derive(Debug)]
    pub(crate) struct Tls;

    impl Tls {
        /// Always refused.
        pub fn new(_: Encryption) -> io::Result<Tls> {
            Err(io::Error::other("this build has no TLS"))
        }

        /// Never called.
        pub fn wrap(&self, _: Stream, _: &str) -> io::Result<Stream> {
            Err(io::Error::other("this build has no TLS"))
        }
    }

    impl Stream {
        /// Never called.
        pub fn shake(&mut self) -> io::Result<Handshake> {
            Ok(Handshake::Done)
        }
    }
}

pub(crate) use tls::Tls;
