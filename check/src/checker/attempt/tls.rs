//! TLS for `SSL_GET`, by the system's OpenSSL: as a health check wants it, which is not as a browser
//! does. Whatever version and cipher the library still speaks will do, and no certificate is looked
//! at; the question is whether the server serves.

#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod sys;
#[cfg(not(feature = "tls"))]
mod without;

#[cfg(feature = "tls")]
pub(crate) use session::{Context, Session};
#[cfg(not(feature = "tls"))]
pub(crate) use without::{Context, Session};

#[cfg(feature = "tls")]
#[cfg(test)]
pub(crate) mod tests;
