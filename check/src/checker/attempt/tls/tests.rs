use std::fs;
use std::path::PathBuf;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use openssl::x509::{X509, X509Name};

use super::*;
use crate::checker::attempt::http::check::Web;
use crate::settings::TlsSettings;

/// A key and a certificate that it signed itself.
pub(crate) fn identity() -> (PKey<Private>, X509) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "test").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (key, builder.build())
}

/// Files that go when the test is over.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Files {
        let folder = std::env::temp_dir().join(format!("ka-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Files(folder)
    }

    fn write(&self, name: &str, content: &[u8]) -> Option<String> {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().map(str::to_owned)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn error(settings: &TlsSettings) -> String {
    Context::new(Some(settings)).err().unwrap_or_default()
}

#[test]
fn what_the_ssl_block_names_is_loaded() {
    let files = Files::new("loaded");
    let (key, certificate) = identity();
    let pem = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"word").unwrap();
    let certificate = files.write("c", &certificate.to_pem().unwrap());
    let good = TlsSettings {
        password: Some("word".into()),
        ca: certificate.clone(),
        certificate,
        key: files.write("k", &pem),
    };
    assert_eq!(error(&good), "");
    // A pass phrase that is missing must not be asked for on a terminal.
    for password in [None, Some("wrong".into())] {
        assert_eq!(
            error(&TlsSettings { password, ..good.clone() }),
            "SSL error : Cant load key file..."
        );
    }
    let none = || Some("/nonexistent".to_owned());
    let bad = TlsSettings { ca: none(), ..good.clone() };
    assert_eq!(error(&bad), "SSL error : Cant load CA file...");
    let bad = TlsSettings { certificate: none(), ..good.clone() };
    assert_eq!(error(&bad), "SSL error : Cant load certificate file...");
    let bad = TlsSettings { key: none(), ..good.clone() };
    assert_eq!(error(&bad), "SSL error : Cant load key file...");
    assert!(Context::new(None).is_ok());
}

#[test]
fn nobody_waits_for_a_file_that_is_none() {
    let files = Files::new("fifo");
    let path = files.0.join("f");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let fifo = path.to_str().map(str::to_owned);
    let none = TlsSettings::default();
    let bad = TlsSettings { certificate: fifo.clone(), ..none.clone() };
    assert_eq!(error(&bad), "SSL error : Cant load certificate file...");
    let bad = TlsSettings { ca: fifo.clone(), ..none.clone() };
    assert_eq!(error(&bad), "SSL error : Cant load CA file...");
    for key in [fifo, Some("/dev/zero".into())] {
        let bad = TlsSettings { key, ..none.clone() };
        assert_eq!(error(&bad), "SSL error : Cant load key file...");
    }
}

#[test]
fn a_block_that_cannot_be_used_is_reported() {
    let files = Files::new("kept");
    let certificate = files.write("c", &identity().1.to_pem().unwrap());
    let good = TlsSettings { ca: certificate, ..TlsSettings::default() };
    let bad = TlsSettings { ca: Some("/nonexistent".into()), ..TlsSettings::default() };
    let mut web = Web::default();
    assert!(web.present(Some(&good)).is_ok());
    assert!(web.present(Some(&bad)).is_err());
    assert!(web.present(None).is_ok());
}
