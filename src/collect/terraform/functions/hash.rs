//! Hash functions, and functions with a new value on each call.

use std::rc::Rc;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::{Answer, Arguments, Table};
use crate::collect::terraform::value::{UnknownValue, Value};

pub(crate) const TABLE: Table = &[
    ("base64gzip", |call| call.unknown("compressed bytes are not computed")),
    ("base64sha256", |call| base64(call, |bytes| Sha256::digest(bytes).to_vec())),
    ("base64sha512", |call| base64(call, |bytes| Sha512::digest(bytes).to_vec())),
    ("bcrypt", |call| call.unknown("it is another one each time")),
    ("md5", |call| hexadecimal(call, |bytes| <Md5 as md5::Digest>::digest(bytes).to_vec())),
    ("plantimestamp", |call| call.unknown("it is the time of the plan")),
    ("rsadecrypt", |call| call.unknown("nothing is decrypted")),
    ("sha1", |call| hexadecimal(call, |bytes| Sha1::digest(bytes).to_vec())),
    ("sha256", |call| hexadecimal(call, |bytes| Sha256::digest(bytes).to_vec())),
    ("sha512", |call| hexadecimal(call, |bytes| Sha512::digest(bytes).to_vec())),
    ("timestamp", |call| call.unknown("it is the time of the apply")),
    ("uuid", |call| call.unknown("it is another one each time")),
    ("uuidv5", uuid_of_name),
];

/// The digest of a text. The cost is the length of the text.
fn digest(call: &Arguments<'_>, text: &str, digest: fn(&[u8]) -> Vec<u8>) -> Result<Vec<u8>, Rc<UnknownValue>> {
    if call.context().afford(text.len()) {
        Ok(digest(text.as_bytes()))
    } else {
        call.unknown("there is too much of it")
    }
}

fn hexadecimal(call: &Arguments<'_>, of: fn(&[u8]) -> Vec<u8>) -> Answer {
    let bytes = digest(call, &call.text(0)?, of)?;
    Ok(Value::text(in_hexadecimal(&bytes)))
}

fn base64(call: &Arguments<'_>, of: fn(&[u8]) -> Vec<u8>) -> Answer {
    let bytes = digest(call, &call.text(0)?, of)?;
    Ok(Value::text(super::encoding::encode(&bytes)))
}

fn in_hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// <https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5>
fn uuid_of_name(call: &Arguments<'_>) -> Answer {
    let (space, name) = (call.text(0)?, call.text(1)?);
    let space = match &*space {
        "dns" => "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "url" => "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
        "oid" => "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
        "x500" => "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
        other => other,
    };
    let digits: String = space.chars().filter(|character| *character != '-').collect();
    let is_uuid = space.len() == 36 && digits.len() == 32 && digits.is_ascii();
    let bytes = (0..16).map(|index| digits.get(2 * index..2 * index + 2));
    let bytes = bytes.map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect::<Option<Vec<u8>>>();
    let Some(mut bytes) = bytes.filter(|_| is_uuid) else { return call.wrong("the namespace is not a UUID") };
    bytes.extend_from_slice(name.as_bytes());
    call.within(call.context().afford(bytes.len()))?;
    let mut digest = Sha1::digest(&bytes).to_vec();
    digest.truncate(16);
    digest[6] = digest[6] & 0x0F | 0x50;
    digest[8] = digest[8] & 0x3F | 0x80;
    let text = in_hexadecimal(&digest);
    Ok(Value::text(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])))
}
