//! Credentials for registries, from the file that `docker login` and `podman login` write.
//!
//! Only names and passwords that stand in the file are used. Helper programs (`credHelpers`,
//! `credsStore`) are not run: a library does not start programs that a file in the home folder names.

use std::collections::HashMap;

use camino::Utf8Path;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

use super::reference::ImageReference;

#[derive(Deserialize)]
struct CredentialsFile {
    #[serde(default)]
    auths: HashMap<String, Credentials>,
}

#[derive(Default, Deserialize)]
struct Credentials {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// The credentials in a file for an image's registry; anonymous when it has none.
pub(super) fn for_image(file: &Utf8Path, image: &ImageReference) -> Result<RegistryAuth, String> {
    let text = fs_err::read(file).map_err(|error| format!("its credentials: {error}"))?;
    let parsed: CredentialsFile = serde_json::from_slice(&text)
        .map_err(|error| format!("the credentials file `{file}` is damaged: {error}"))?;
    let best = parsed
        .auths
        .iter()
        .filter_map(|(key, value)| Some((specificity(key, image)?, value)))
        .max_by_key(|(specificity, _)| *specificity);
    match best {
        None => Ok(RegistryAuth::Anonymous),
        Some((_, credentials)) => credentials.decode().ok_or_else(|| {
            format!(
                "`{file}` holds no name and password for {} (helper programs are not asked)",
                image.registry()
            )
        }),
    }
}

/// How exactly a key of the file names an image: podman allows `registry/path`, Docker writes
/// `https://index.docker.io/v1/` for its own registry. `None` when it names another.
fn specificity(key: &str, image: &ImageReference) -> Option<usize> {
    let key = key.trim_start_matches("https://").trim_start_matches("http://");
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let path = match path.trim_end_matches('/') {
        "v1" | "v2" => "",
        other => other,
    };
    let host = if host == "index.docker.io" { "docker.io" } else { host };
    let rest = image.repository().strip_prefix(path)?;
    let fits = path.is_empty() || rest.is_empty() || rest.starts_with('/');
    (host == image.registry() && fits).then_some(path.len())
}

impl Credentials {
    fn decode(&self) -> Option<RegistryAuth> {
        if let (Some(name), Some(password)) = (&self.username, &self.password) {
            return Some(RegistryAuth::Basic(name.clone(), password.clone()));
        }
        let decoded = String::from_utf8(decode_base64(self.auth.as_deref()?)?).ok()?;
        let (name, password) = decoded.split_once(':')?;
        // Docker itself pads the text with zero bytes in some versions.
        let password = password.trim_end_matches('\0');
        (!name.is_empty()).then(|| RegistryAuth::Basic(name.to_owned(), password.to_owned()))
    }
}

/// Standard base64 (RFC 4648, section 4), padded or not.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut pending, mut bits) = (0_u32, 0);
    for digit in text.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        pending = (pending << 6 | u32::from(value)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((pending >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, image: &str) -> Result<RegistryAuth, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(folder.path()).unwrap().join("config.json");
        fs_err::write(&file, json).unwrap();
        for_image(&file, &image.parse().unwrap())
    }

    fn basic(name: &str, password: &str) -> RegistryAuth {
        RegistryAuth::Basic(name.to_owned(), password.to_owned())
    }

    #[test]
    fn base64_is_decoded_as_the_standard_says() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8", "fo"), ("Zm9vYmE=", "fooba")] {
            assert_eq!(decode_base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(decode_base64("+/+/").unwrap(), [0xfb, 0xff, 0xbf]);
        assert_eq!(decode_base64("a-b_"), None);
    }

    #[test]
    fn the_most_exact_entry_for_the_registry_counts() {
        let json = r#"{"auths":{
            "https://index.docker.io/v1/":{"auth":"aHViOnBhc3M6d29yZA=="},
            "quay.io":{"username":"all","password":"1"},
            "quay.io/team":{"username":"team","password":"2"}}}"#;
        assert_eq!(found(json, "debian"), Ok(basic("hub", "pass:word")));
        assert_eq!(found(json, "quay.io/other/x"), Ok(basic("all", "1")));
        assert_eq!(found(json, "quay.io/team/x"), Ok(basic("team", "2")));
        assert_eq!(found(json, "quay.io/teamwork/x"), Ok(basic("all", "1")));
        assert_eq!(found(json, "ghcr.io/x/y"), Ok(RegistryAuth::Anonymous));
    }

    #[test]
    fn an_entry_that_needs_a_helper_is_said() {
        let message = found(r#"{"auths":{"quay.io":{}},"credsStore":"x"}"#, "quay.io/a/b");
        assert!(message.unwrap_err().contains("helper programs are not asked"));
    }
}
