//! `authentication` and `auth_hmac` of an instance.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use config::{Args, Class, Context, Keyword, Line, Row, Table, Word, number};

use super::builder::Builder;
use super::draft::AuthType;
use super::hmac::{HmacKey, HmacMode};

type B = Row<Builder>;

/// Keywords inside `authentication`.
pub static AUTHENTICATION: Table<Builder> = Table::new(&[
    B::new(
        Keyword::new("auth_type", Args::Choice(&["PASS", "AH"]), "kind of authentication")
            .required(),
        set_type,
    ),
    B::new(
        Keyword::new("auth_pass", Args::Word { max: 0 }, "password; eight bytes count").required(),
        set_password,
    ),
]);

/// Keywords inside `auth_hmac`.
pub static HMAC: Table<Builder> = Table::new(&[
    B::new(
        Keyword::new("key", Args::Free("ID TEXT|hex:DIGITS|file:PATH"), "a key of 32 to 64 bytes"),
        add_key,
    ),
    B::new(
        Keyword::new("active_key", Args::int(1, 255), "the key that signs").required(),
        |b, l, c| {
            let id = l.int(c).and_then(|id| u8::try_from(id).ok());
            if let (Some(id), Some(hmac)) = (id, b.draft.hmac.as_mut()) {
                hmac.active = id;
            }
        },
    ),
    B::new(
        Keyword::new("time_window", Args::int(1, 300), "how old a signed advert may be")
            .required()
            .or("three advert intervals, 5 to 300")
            .unit("s"),
        |b, l, c| {
            let window = l.int(c).and_then(|window| u32::try_from(window).ok());
            if let (Some(window), Some(hmac)) = (window, b.draft.hmac.as_mut()) {
                hmac.window = Some(window);
            }
        },
    ),
    B::new(
        Keyword::new(
            "anti_replay",
            Args::Choice(&["time", "monotonic"]),
            "how repeated adverts are told",
        )
        .required()
        .or("time"),
        |b, l, c| {
            if let (Some(choice), Some(hmac)) = (l.choice(c), b.draft.hmac.as_mut()) {
                hmac.monotonic = choice == 1;
            }
        },
    ),
    B::new(
        Keyword::new(
            "mode",
            Args::Choice(&["enforce", "permissive", "receive-only"]),
            "whether unsigned adverts pass",
        )
        .required()
        .or("enforce"),
        |b, l, c| {
            let mode = l.choice(c).and_then(|choice| HmacMode::ALL.get(choice));
            if let (Some(mode), Some(hmac)) = (mode, b.draft.hmac.as_mut()) {
                hmac.mode = *mode;
            }
        },
    ),
]);

fn set_type(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    match word.text.as_str() {
        "PASS" => b.draft.auth_type = AuthType::Pass,
        "AH" => b.draft.auth_type = AuthType::Ah,
        other => {
            let text = format!("unknown authentication type '{other}'");
            b.complain(word.span, ctx, &text);
        }
    }
}

fn set_password(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let bytes = config::text::to_bytes(&word.text);
    if bytes.len() > 8 {
        ctx.report(Class::General, word.span, "Truncating auth_pass to 8 characters");
    }
    let mut password = [0; 8];
    for (place, byte) in password.iter_mut().zip(bytes.iter()) {
        *place = *byte;
    }
    b.draft.password = Some(password);
}

fn add_key(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let [id_word, value, ..] = line.words.as_slice() else {
        b.complain(line.span, ctx, "auth_hmac key needs an id and a value");
        return;
    };
    let id = number::int(id_word, 1, 255, false, ctx, "auth_hmac key id")
        .and_then(|id| u8::try_from(id).ok());
    let Some(id) = id else {
        let text = format!("auth_hmac key id '{}' must be between 1 and 255", id_word.text);
        b.complain(id_word.span, ctx, &text);
        return;
    };
    let taken = b.draft.hmac.as_ref().is_some_and(|hmac| hmac.keys.iter().any(|key| key.id == id));
    if taken {
        b.complain(id_word.span, ctx, &format!("duplicate auth_hmac key id {id}"));
        return;
    }
    let Some(secret) = secret(b, value, ctx) else { return };
    let Some(key) = HmacKey::new(id, &secret) else {
        let text = format!("auth_hmac key {id} length {} not in range [32, 64]", secret.len());
        b.complain(value.span, ctx, &text);
        return;
    };
    if let Some(hmac) = b.draft.hmac.as_mut() {
        hmac.keys.push(key);
    }
}

/// The key that `value` stands for.
fn secret(b: &Builder, value: &Word, ctx: &mut Context<'_>) -> Option<Vec<u8>> {
    let bytes = match value.text.strip_prefix("file:") {
        Some(path) => key_file(b, path, value, ctx)?,
        None => config::text::to_bytes(&value.text).into_owned(),
    };
    let Some(digits) = bytes.strip_prefix(b"hex:") else { return Some(bytes) };
    let decoded = of_hexadecimal(digits);
    if decoded.is_none() {
        b.complain(value.span, ctx, "auth_hmac key is not an even number of hexadecimal digits");
    }
    decoded
}

fn of_hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect()
}

/// Longest key file that makes sense: `hex:`, 128 digits, line ends.
const MAX_KEY_FILE: u64 = 256;

fn key_file(b: &Builder, path: &str, value: &Word, ctx: &mut Context<'_>) -> Option<Vec<u8>> {
    let opened = std::fs::File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let Ok((metadata, file)) = opened else {
        b.complain(value.span, ctx, &format!("auth_hmac key file '{path}' cannot be opened"));
        return None;
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let text = format!(
            "({}) auth_hmac key file '{path}' is readable by group or others",
            b.draft.name
        );
        ctx.report(Class::Security, value.span, text);
    }
    let mut bytes = Vec::new();
    let read = file.take(MAX_KEY_FILE + 1).read_to_end(&mut bytes);
    if read.is_err() || bytes.len() as u64 > MAX_KEY_FILE {
        b.complain(value.span, ctx, &format!("auth_hmac key file '{path}' is too large"));
        return None;
    }
    while matches!(bytes.last(), Some(b'\r' | b'\n')) {
        bytes.pop();
    }
    Some(bytes)
}
