//! Signs requests of the DCS API with an access key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// An access key; the security token belongs to temporary ones.
#[derive(Clone)]
pub struct Key {
    pub access_key: String,
    pub secret_key: String,
    pub security_token: Option<String>,
}

impl Key {
    /// The value of the Authorization header, for the target and the headers that are sent.
    pub fn authorization(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> String {
        let mut signed: Vec<(String, &str)> = headers
            .iter()
            .filter(|(name, _)| !name.contains('_'))
            .map(|(name, value)| (name.to_lowercase(), value.trim()))
            .collect();
        signed.sort();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut canonical = format!(
            "{}\n{}\n{}\n",
            method.to_uppercase(),
            canonical_path(path),
            canonical_query(query)
        );
        for (name, value) in &signed {
            canonical += &format!("{name}:{value}\n");
        }
        canonical += &format!("\n{names}\n{}", hex(&Sha256::digest(body)));
        let date = signed.iter().find(|(name, _)| name == "x-sdk-date");
        let text = format!(
            "SDK-HMAC-SHA256\n{}\n{}",
            date.map_or("", |(_, value)| value),
            hex(&Sha256::digest(canonical.as_bytes()))
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret_key.as_bytes())
            .expect("a key of any length will do");
        mac.update(text.as_bytes());
        format!(
            "SDK-HMAC-SHA256 Access={}, SignedHeaders={names}, Signature={}",
            self.access_key,
            hex(&mac.finalize().into_bytes())
        )
    }
}

fn canonical_path(path: &str) -> String {
    let encoded = escape(&unescape(path), b"-._~/");
    format!("{}/", encoded.strip_suffix('/').unwrap_or(&encoded))
}

fn canonical_query(query: &str) -> String {
    let query = query.replace('+', " ");
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (unescape(name), unescape(value)))
        .collect();
    pairs.sort(); // by name, then by value, before they are escaped
    let encode = |bytes: &[u8]| escape(bytes, b"-._~");
    let parts = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    parts.collect::<Vec<_>>().join("&")
}

fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        match u8::from_str_radix(hex, 16) {
            Ok(byte) => bytes.extend([&[byte], rest.as_bytes()].concat()),
            Err(_) => bytes.extend([b"%", part.as_bytes()].concat()),
        }
    }
    bytes
}

fn escape(bytes: &[u8], also: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || also.contains(byte);
    let one = |byte: &u8| if plain(byte) { (*byte as char).to_string() } else { format!("%{byte:02X}") };
    bytes.iter().map(one).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
