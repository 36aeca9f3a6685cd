//! A server for the page on this machine, and nobody else's: only GET, only files of one folder, only on 127.0.0.1.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::shell::Stop;

/// The port that is asked for; another one where it is taken.
const PORT: u16 = 8017;

/// The page's own policy, which a server can set for its workers too.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      worker-src 'self'; base-uri 'none'; form-action 'none'";

/// Requests longer than this are none of a browser's.
const LONGEST: u64 = 16 * 1024;

/// Serves a folder until the program is ended.
pub(crate) fn serve(folder: &Path) -> Result<(), Stop> {
    let failed = |error| Stop::new(1, format!("cannot serve on localhost: {error}"));
    let listener = TcpListener::bind(("127.0.0.1", PORT))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    println!("\nhttp://{address}/ has the page; Ctrl+C ends it.");
    for stream in listener.incoming().flatten() {
        let folder = folder.to_owned();
        // A client that goes away in the middle is its own business.
        std::thread::spawn(move || _ = answer(&folder, stream));
    }
    Ok(())
}

fn answer(folder: &Path, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    let mut lines = BufReader::new((&stream).take(LONGEST)).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let response = respond(folder, &first);
    stream.write_all(&response.head())?;
    stream.write_all(&response.body)
}

struct Response {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

impl Response {
    fn refused(status: &'static str) -> Self {
        Self {
            status,
            kind: "text/plain",
            body: format!("{status}\n").into_bytes(),
        }
    }

    fn head(&self) -> Vec<u8> {
        let (status, kind, length) = (self.status, self.kind, self.body.len());
        // Isolated from other origins, a page has finer clocks. Nothing is kept beyond the next request.
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\
             Cache-Control: no-cache\r\nContent-Security-Policy: {POLICY}\r\nX-Content-Type-Options: nosniff\r\n\
             Referrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n\
             Cross-Origin-Embedder-Policy: require-corp\r\nCross-Origin-Resource-Policy: same-origin\r\n\r\n"
        )
        .into_bytes()
    }
}

/// The answer to a request's first line.
fn respond(folder: &Path, line: &str) -> Response {
    let words: Vec<&str> = line.split(' ').collect();
    let ["GET", target, "HTTP/1.1" | "HTTP/1.0"] = words[..] else {
        let isnt_get = words.len() == 3 && words[0] != "GET";
        let status = if isnt_get {
            "405 Method Not Allowed"
        } else {
            "400 Bad Request"
        };
        return Response::refused(status);
    };
    let Some(file) = file_of(folder, target) else {
        return Response::refused("404 Not Found");
    };
    match fs::read(&file) {
        Ok(body) => Response {
            status: "200 OK",
            kind: kind_of(&file),
            body,
        },
        Err(_) => Response::refused("404 Not Found"),
    }
}

/// The file below the folder that a request's target names. No name here needs an escape, so there are none; what a link in
/// the folder leads to outside of it is not served either.
fn file_of(folder: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    if !path.chars().all(is_plain) {
        return None;
    }
    let relative = match path {
        "" => Path::new("index.html"),
        _ => Path::new(path),
    };
    let is_below = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !is_below {
        return None;
    }
    let folder = folder.canonicalize().ok()?;
    let file = folder.join(relative).canonicalize().ok()?;
    (file.starts_with(&folder) && file.is_file()).then_some(file)
}

fn kind_of(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        Some("wgsl") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test's own with a page, and a secret beside it.
    fn folder(name: &str) -> PathBuf {
        let above =
            std::env::temp_dir().join(format!("nonlin-serve-{name}-{}", std::process::id()));
        fs::create_dir_all(above.join("site/nonlin/pkg")).unwrap();
        fs::write(above.join("secret.txt"), "secret").unwrap();
        fs::write(above.join("site/index.html"), "<!doctype html>").unwrap();
        fs::write(above.join("site/nonlin/pkg/nonlin_bg.wasm"), "wasm").unwrap();
        above.join("site")
    }

    #[test]
    fn files_are_served_with_their_types() {
        let folder = folder("types");
        let get = |target: &str| respond(&folder, &format!("GET {target} HTTP/1.1"));
        for target in ["/", "/index.html", "/?a=b", "/index.html#x"] {
            let page = get(target);
            assert_eq!(
                (page.status, &page.body[..]),
                ("200 OK", &b"<!doctype html>"[..]),
                "{target}"
            );
            assert!(page.kind.starts_with("text/html"));
        }
        assert_eq!(get("/nonlin/pkg/nonlin_bg.wasm").kind, "application/wasm");
        let head = String::from_utf8(get("/").head()).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        assert!(
            head.contains("Content-Length: 15\r\n") && head.contains("nosniff"),
            "{head}"
        );
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn nothing_else_is() {
        let folder = folder("refused");
        assert!(folder.join("../secret.txt").is_file());
        let targets = [
            "/../secret.txt",
            "/nonlin/../../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/..\\secret.txt",
            "//../secret.txt",
            "//etc/passwd",
            "/nonlin",
            "/nonlin/",
            "/missing.js",
            "/./../secret.txt",
            "/\0",
            "secret.txt",
            "http://127.0.0.1/index.html",
            "",
        ];
        for target in targets {
            let answer = respond(&folder, &format!("GET {target} HTTP/1.1"));
            assert_eq!(answer.status, "404 Not Found", "{target}");
            assert!(!answer.body.starts_with(b"secret"));
        }
        for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "get"] {
            let answer = respond(&folder, &format!("{method} / HTTP/1.1"));
            assert_eq!(answer.status, "405 Method Not Allowed");
        }
        for line in ["", "GET", "GET /", "GET / HTTP/2", "GET / x HTTP/1.1"] {
            assert_eq!(respond(&folder, line).status, "400 Bad Request", "{line}");
        }
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn links_lead_nowhere_else() {
        let folder = folder("links");
        std::os::unix::fs::symlink("../secret.txt", folder.join("link.txt")).unwrap();
        assert_eq!(
            respond(&folder, "GET /link.txt HTTP/1.1").status,
            "404 Not Found"
        );
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_request_is_answered_and_an_endless_one_ended() {
        let folder = folder("request");
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let served = folder.clone();
        let server = std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                _ = answer(&served, stream.unwrap());
            }
        });
        let ask = |text: &[u8]| {
            let mut stream = TcpStream::connect(address).unwrap();
            // The server may have had enough before all is sent.
            _ = stream.write_all(text);
            let mut said = Vec::new();
            _ = stream.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        };
        let said = ask(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert!(
            said.starts_with("HTTP/1.1 200 OK") && said.ends_with("<!doctype html>"),
            "{said}"
        );
        let said = ask(&[b'x'; 20 * 1024]);
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 400"),
            "{said}"
        );
        server.join().unwrap();
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn the_policy_is_the_pages_own() {
        let page = include_str!("../../web/page/index.html");
        assert!(page.contains(&format!("content=\"{POLICY}\"")), "{POLICY}");
    }
}
