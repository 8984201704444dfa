//! Static files below a folder.

use std::path::Path;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LAST_MODIFIED, LOCATION};
use http::{HeaderValue, Response, StatusCode};

use super::{Body, plain, whole};

/// Media types by the ends of names.
const TYPES: [(&str, &str); 17] = [
    ("avif", "image/avif"),
    ("css", "text/css; charset=utf-8"),
    ("gif", "image/gif"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("webp", "image/webp"),
    ("xml", "text/xml; charset=utf-8"),
];

fn media_type(file: &Path, bytes: &[u8]) -> &'static str {
    let end = file.extension().and_then(|end| end.to_str()).unwrap_or_default();
    let known = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(end)).map(|(_, media_type)| *media_type);
    known.unwrap_or_else(|| {
        let is_text = std::str::from_utf8(bytes).is_ok() && !bytes.contains(&0);
        if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" }
    })
}

fn moved(to: &str) -> Response<Body> {
    let mut response = whole(StatusCode::MOVED_PERMANENTLY, Bytes::new());
    if let Ok(value) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "404 page not found")
}

/// Answers a request for `path`, which begins below `folder` and is decoded.
pub fn serve(folder: &Path, path: &str) -> Response<Body> {
    // Nothing above the folder can be named.
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.iter().any(|part| *part == ".." || part.contains(['\\', '\0'])) {
        return plain(StatusCode::BAD_REQUEST, "invalid URL path");
    }
    if path.ends_with("/index.html") || path == "index.html" {
        return moved("./");
    }
    let file = parts.iter().fold(folder.to_path_buf(), |file, part| file.join(part));
    let Ok(metadata) = std::fs::metadata(&file) else { return not_found() };
    let wants_folder = path.is_empty() || path.ends_with('/');
    let last = parts.last().copied().unwrap_or_default();
    match (metadata.is_dir(), wants_folder) {
        (true, false) => moved(&format!("{last}/")),
        (false, true) => moved(&format!("../{last}")),
        (true, true) => match std::fs::metadata(file.join("index.html")) {
            Ok(index) if index.is_file() => send(&file.join("index.html")),
            _ => list(&file),
        },
        (false, false) => send(&file),
    }
}

fn send(file: &Path) -> Response<Body> {
    let Ok(bytes) = std::fs::read(file) else { return not_found() };
    let media_type = media_type(file, &bytes);
    let mut response = whole(StatusCode::OK, bytes.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified());
    if let Ok(modified) = modified {
        let text = chrono::DateTime::<chrono::Utc>::from(modified).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(LAST_MODIFIED, value);
        }
    }
    response
}

fn list(folder: &Path) -> Response<Body> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "Error reading directory");
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort();
    let escape =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;");
    let mut text = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n".to_owned();
    for name in names {
        let link = percent_encoding::utf8_percent_encode(&name, percent_encoding::CONTROLS).to_string();
        text.push_str(&format!("<a href=\"{}\">{}</a>\n", escape(&link.replace(' ', "%20")), escape(&name)));
    }
    text.push_str("</pre>\n");
    let mut response = whole(StatusCode::OK, text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_the_folder_are_served() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("sub")).expect("a folder");
        std::fs::write(folder.path().join("page.txt"), "hi").expect("a file");
        let get = |path: &str| {
            let answer = serve(folder.path(), path);
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
            (answer.status().as_u16(), location)
        };
        assert_eq!(get("page.txt"), (200, None));
        assert_eq!(get("sub"), (301, Some("sub/".into())));
        assert_eq!(get("page.txt/"), (301, Some("../page.txt".into())));
        assert_eq!(get("../etc/passwd"), (400, None));
        assert_eq!(get("none"), (404, None));
        assert_eq!(get(""), (200, None));
    }
}
