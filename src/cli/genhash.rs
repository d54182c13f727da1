//! The command line of `genhash`: `keepalived -T ...`, or a link of that name.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use check::Page;
use check::settings::HttpProtocol;

use super::split::{Found, split};
use super::table::{Opt, Value};
use super::text;

/// The longest there is, in the C daemon's unit: it is no limit that anybody asked for.
const TIMEOUT: Duration = Duration::from_micros(u32::MAX as u64);

const fn row(short: u8, long: &'static str, value: Value, doc: &'static str) -> Opt {
    Opt { short: Some(short), long, value, doc }
}

/// Its options.
pub static TABLE: &[Opt] = &[
    row(b's', "server", Value::Needed("ADDRESS"), "server to ask"),
    row(b'p', "port", Value::Needed("PORT"), "its port"),
    row(b'u', "url", Value::Needed("PATH"), "page to ask for"),
    row(b'S', "use-ssl", Value::None, "by TLS"),
    row(b'I', "use-sni", Value::None, "send the virtual host's name by SNI, too"),
    row(b'V', "use-virtualhost", Value::Needed("NAME"), "virtual host to ask"),
    row(b'm', "fwmark", Value::Needed("MARK"), "firewall mark of the packets"),
    row(
        b'P',
        "protocol",
        Value::Needed("VERSION"),
        "1.0 (default), 1.1, or\n1.0c: 1.0 with Connection: close",
    ),
    row(b't', "timeout", Value::Needed("SECONDS"), "longest wait for each step"),
    row(b'v', "verbose", Value::None, "show all that is received"),
    row(b'h', "help", Value::None, "print this"),
];

/// Reads the command line, without the program's name.
///
/// # Errors
/// It is not one; what to say before ending with status 1.
pub(super) fn read(program: &str, argv: &[OsString]) -> Result<Page, String> {
    take(argv).map_err(|message| {
        let mut text = message;
        let _ = writeln!(text, "Usage: {program} -s ADDRESS -p PORT -u PATH [OPTION...]");
        text::list(TABLE, &mut text);
        text
    })
}

fn take(argv: &[OsString]) -> Result<Page, String> {
    let (mut server, mut port, mut path, mut words) = (None, None, None, Vec::new());
    let mut page = Page {
        target: SocketAddr::from(([0, 0, 0, 0], 0)),
        path: String::new(),
        host: None,
        tls: false,
        sni: false,
        mark: 0,
        protocol: HttpProtocol::default(),
        timeout: TIMEOUT,
        verbose: false,
    };
    for found in split(TABLE, argv) {
        let (row, value) = match found {
            Found::Option { row, value } => (row, value.unwrap_or_default()),
            Found::Word(word) => {
                words.push(word.to_string_lossy().into_owned());
                continue;
            }
            Found::Unknown(name) => return Err(format!("Unknown option {name}\n")),
            Found::Missing(name) => return Err(format!("Missing parameter for option {name}\n")),
        };
        let text = value.to_string_lossy().into_owned();
        match row.long {
            "server" => {
                let address = text.parse::<IpAddr>();
                server =
                    Some(address.map_err(|_| format!("server should be an IP, not {text}\n"))?);
            }
            "port" => {
                port = Some(number::<u16>(&value, "port number")?).filter(|port| *port > 0);
                port.ok_or_else(|| invalid("port number", &value))?;
            }
            "url" => path = Some(text),
            "use-ssl" => page.tls = true,
            "use-sni" => page.sni = true,
            "use-virtualhost" => page.host = Some(text),
            "fwmark" => page.mark = number(&value, "fwmark")?,
            "protocol" => {
                page.protocol =
                    protocol(&text).ok_or_else(|| invalid("HTTP protocol version", &value))?
            }
            "timeout" => {
                // None means the longest, as it does for the C program.
                let seconds = number(&value, "timeout")?;
                page.timeout = Some(Duration::from_secs(seconds))
                    .filter(|t| !t.is_zero())
                    .unwrap_or(TIMEOUT)
                    .min(TIMEOUT);
            }
            "verbose" => page.verbose = true,
            _ => return Err(String::new()),
        }
    }
    if !words.is_empty() {
        return Err(format!("Unexpected argument(s): {}\n", words.join(" ")));
    }
    let (Some(server), Some(port), Some(path)) = (server, port, path) else {
        return Err(String::new());
    };
    Ok(Page { target: SocketAddr::new(server, port), path, ..page })
}

fn protocol(text: &str) -> Option<HttpProtocol> {
    Some(match text {
        "1.0" => HttpProtocol::Http10,
        "1.0c" | "1.0C" => HttpProtocol::Http10Close,
        "1.1" => HttpProtocol::Http11,
        _ => return None,
    })
}

/// A number of digits alone.
fn number<T: FromStr>(value: &OsStr, what: &str) -> Result<T, String> {
    let text = value.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| invalid(what, value))
}

fn invalid(what: &str, value: &OsStr) -> String {
    format!("invalid {what} '{}'\n", value.to_string_lossy())
}
