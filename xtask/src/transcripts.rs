//! `cargo xtask transcripts`: docs/doctor-transcripts.md and an excerpt in the README, from runs of `gridmq doctor` against real servers.
//!
//! What differs from run to run (ports, durations, dates, numbers made at random) is replaced by a word or a fixed number.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::shell::{Context, Result, cargo, fail, root, run, target};

/// The page, relative to the root.
const PAGE: &str = "docs/doctor-transcripts.md";
/// It quotes one transcript of the page, between these two lines.
const README: &str = "README.md";
const BEGIN: &str = "<!-- begin transcript -->";
const END: &str = "<!-- end transcript -->";
const HEAD: &str = "\
# Transcripts of the doctor

What `gridmq doctor` prints in a terminal of 100 columns. Made by `cargo xtask transcripts` from real runs; do not edit
it. Ports, durations and dates are replaced.
";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);
/// A server for HTTPS from Python's own library: certificate, key and port are its arguments.
const HTTPS: &str = "\
import http.server, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[3])), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

/// One run: what is typed after `gridmq doctor`.
type Run<'a> = (&'a str, &'a str);

/// Writes the page, or checks that the runs still say the same.
pub(crate) fn command(check: bool) -> Result<()> {
    run(cargo().args(["build", "--locked", "--bin", "gridmq"]))?;
    let dir = target().join("transcripts");
    // Certificates of an earlier run may have expired.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).context(format_args!("cannot make {}", dir.display()))?;
    let bench = Bench { gridmq: target().join("debug/gridmq"), dir };
    let mut text = String::from(HEAD);
    bench.namespace(&mut text)?;
    bench.mosquitto(&mut text)?;
    bench.https(&mut text)?;
    bench.offline(&mut text)?;
    let readme = std::fs::read_to_string(root().join(README)).context("cannot read the README")?;
    let readme = with_excerpt(&readme, &text)?;
    for (name, text) in [(PAGE, text), (README, readme)] {
        let file = root().join(name);
        if !check {
            std::fs::write(&file, &text).context(format_args!("cannot write {}", file.display()))?;
        } else if std::fs::read_to_string(&file).unwrap_or_default() != text {
            return fail(format!("{name} is not what the doctor says now; run cargo xtask transcripts"));
        }
    }
    Ok(())
}

/// The README with the transcript that it quotes from the page.
fn with_excerpt(readme: &str, page: &str) -> Result<String> {
    let section = page.split("\n## mosquitto").nth(1).and_then(|rest| rest.split("Without a certificate:\n\n").nth(1));
    let excerpt =
        section.and_then(|rest| rest.split_inclusive("\n```\n").next()).context("the page lacks the excerpt")?;
    let (before, rest) = readme.split_once(BEGIN).context("the README has no place for a transcript")?;
    let (_, after) = rest.split_once(END).context("the README's transcript has no end")?;
    Ok(format!("{before}{BEGIN}\n{excerpt}{END}{after}"))
}

struct Bench {
    gridmq: PathBuf,
    dir: PathBuf,
}

impl Bench {
    fn namespace(&self, text: &mut String) -> Result<()> {
        let mut child = Command::new(&self.gridmq);
        child.args(["quickstart", "--port", "0", "--dir", "gridmq-quickstart"]).current_dir(&self.dir);
        let mut served = Server::start(child.stdout(Stdio::piped()))?;
        let port = served.line("Serving on port ")?;
        text.push_str("\n## The namespace of gridmq quickstart\n");
        let client = "--cert gridmq-quickstart/client1-authn-ID.pem --key gridmq-quickstart/client1-authn-ID.key";
        let url = "mqtts://localhost:PORT --cafile gridmq-quickstart/root-ca.pem";
        for (what, typed) in [
            (
                "Everything works:",
                format!("{url} {client} -u client1-authn-ID -i client1-session1 -t contosotopics/topic1"),
            ),
            ("Without a certificate:", format!("{url} -u client1-authn-ID -i client1-session1")),
            ("Under another client's name:", format!("{url} {client} -u client2-authn-ID -i client1-session1")),
            ("Without trust in its CA:", format!("mqtts://localhost:PORT {client} -u client1-authn-ID")),
        ] {
            self.show(text, (what, &typed), &port, "8883")?;
        }
        Ok(())
    }

    fn mosquitto(&self, text: &mut String) -> Result<()> {
        let port = free_port()?;
        let made = self.dir.join("gridmq-quickstart");
        let config = format!(
            "listener {port} 127.0.0.1\ncafile {0}/root-ca.pem\ncertfile {0}/server.pem\nkeyfile {0}/server.key\n\
             require_certificate true\nallow_anonymous true\nuser root\n",
            made.display()
        );
        let file = self.dir.join("mosquitto.conf");
        std::fs::write(&file, config).context("cannot write mosquitto.conf")?;
        let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].into_iter().find(|path| Path::new(path).exists());
        let mut child = Command::new(program.unwrap_or("mosquitto"));
        child.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let _served = Server::start_on(&mut child, &port)?;
        text.push_str("\n## mosquitto with require_certificate\n");
        let url = "mqtts://localhost:PORT --profile mosquitto --cafile gridmq-quickstart/root-ca.pem";
        let client = "--cert gridmq-quickstart/client1-authn-ID.pem --key gridmq-quickstart/client1-authn-ID.key";
        self.show(text, ("With a certificate:", &format!("{url} {client} -i sensor1 -t probe/1")), &port, "8884")?;
        self.show(text, ("Without a certificate:", &format!("{url} -i sensor1")), &port, "8884")?;
        let plain = "mqtt://localhost:PORT --profile mosquitto -i sensor1";
        self.show(text, ("Without TLS:", plain), &port, "8884")
    }

    fn https(&self, text: &mut String) -> Result<()> {
        let port = free_port()?;
        let made = self.dir.join("gridmq-quickstart");
        let mut child = Command::new("python3");
        child.args(["-c", HTTPS]).arg(made.join("server.pem")).arg(made.join("server.key")).arg(&port);
        child.current_dir(&self.dir).stdout(Stdio::null()).stderr(Stdio::null());
        let _served = Server::start_on(&mut child, &port)?;
        text.push_str("\n## A web server\n");
        let trust = "--cafile gridmq-quickstart/root-ca.pem";
        self.show(text, ("As what it is:", &format!("https://localhost:PORT {trust}")), &port, "8443")?;
        let mqtt = format!("mqtts://localhost:PORT {trust} -i sensor1");
        self.show(text, ("Taken for an MQTT broker:", &mqtt), &port, "8443")
    }

    fn offline(&self, text: &mut String) -> Result<()> {
        text.push_str("\n## Without a server\n");
        let files = "files --cert gridmq-quickstart/client1-authn-ID.pem --key gridmq-quickstart/client2-authn-ID.key";
        self.show(text, ("A key of another certificate:", files), "", "")?;
        self.show(text, ("An error text:", "explain SSL alert number 48"), "", "")
    }

    /// One run with its output.
    fn show(&self, text: &mut String, (what, typed): Run<'_>, port: &str, shown_port: &str) -> Result<()> {
        println!("gridmq doctor {typed}");
        let mut words = vec!["doctor".to_owned()];
        words.extend(typed.split(' ').map(|word| word.replace("PORT", port)));
        let mut command = Command::new(&self.gridmq);
        command.args(words).current_dir(&self.dir).env("COLUMNS", "100").stdin(Stdio::null());
        let output = command.output().context("cannot run gridmq")?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let out = normal(&out.replace(&format!("{}/", self.dir.display()), ""), port, shown_port);
        let typed = typed.replace("PORT", shown_port);
        text.push_str(&format!("\n{what}\n\n```console\n$ gridmq doctor {typed}\n{out}```\n"));
        Ok(())
    }
}

/// A server that ends with this value.
struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).spawn().map(Self).context("cannot start the server")
    }

    /// Starts it and waits until it listens.
    fn start_on(command: &mut Command, port: &str) -> Result<Self> {
        let server = Self::start(command)?;
        let begun = Instant::now();
        while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
            if begun.elapsed() > PATIENCE {
                return fail(format!("no server on port {port}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// What follows `start` in a line of its output, up to a space.
    fn line(&mut self, start: &str) -> Result<String> {
        let output = self.0.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(output).lines().map_while(std::io::Result::ok);
        let found = lines.find_map(|line| line.strip_prefix(start).map(str::to_owned));
        let found = found.context("the server ended without serving")?;
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.count());
        Ok(found.split(' ').next().unwrap_or_default().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr().context("no free port")?.port().to_string())
}

/// The text without what differs from run to run.
fn normal(text: &str, port: &str, shown_port: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let line = if port.is_empty() { line.to_owned() } else { line.replace(port, shown_port) };
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let mut shown: Vec<String> = Vec::with_capacity(words.len());
        for (at, word) in words.iter().enumerate() {
            let next = words.get(at + 1).map(|next| next.trim_end_matches([',', ')', ';']));
            let number = !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == '.');
            shown.push(match next {
                Some("ms" | "s") if number => "3".to_owned(),
                Some("bytes") if number => "900".to_owned(),
                Some("d") if number => "364".to_owned(),
                Some("of") if number && words.get(at + 3).is_some_and(|word| word == "days") => {
                    one_less(words.get(at + 2))
                }
                _ => normal_word(word),
            });
        }
        lines.push_str(shown.join(" ").trim_end());
        lines.push('\n');
    }
    lines
}

/// Certificates of these runs are less than a day old.
fn one_less(days: Option<&String>) -> String {
    days.and_then(|days| days.parse::<u32>().ok()).unwrap_or_default().saturating_sub(1).to_string()
}

/// A date, a time, a random suffix or a hash becomes a fixed text.
fn normal_word(word: &str) -> String {
    let bare = word.trim_matches(|c: char| matches!(c, ',' | ';' | '(' | ')' | ':' | '"'));
    let digits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(c, f)| if f == b'0' { c.is_ascii_digit() } else { c == f })
    };
    let fixed = if digits(bare, "0000-00-00") {
        "2027-01-01"
    } else if digits(bare, "00:00:00") {
        "12:00:00"
    } else if bare.len() >= 16 && bare.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':') {
        "0123456789ABCDEF…"
    } else if let Some((id, suffix)) = bare.rsplit_once("-doctor-") {
        return word.replace(&format!("{id}-doctor-{suffix}"), &format!("{id}-doctor-0123"));
    } else {
        return word.to_owned();
    };
    word.replace(bare, fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_quotes_the_run_without_a_certificate() {
        let page = "x\n## mosquitto\n\nWithout a certificate:\n\n```console\n$ a\nb\n```\n\nWithout TLS:\n";
        let readme = format!("head\n{BEGIN}\nold\n{END}\ntail\n");
        let expected = format!("head\n{BEGIN}\n```console\n$ a\nb\n```\n{END}\ntail\n");
        assert_eq!(with_excerpt(&readme, page).unwrap(), expected);
        assert!(with_excerpt("no place", page).is_err());
    }

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        let text = " 3 tcp      ok    127.0.0.1:40123 in 14 ms (2026-11-23 06:53:44 UTC), c1-doctor-a7f3 \n";
        let same = " 3 tcp      ok    127.0.0.1:8883 in 3 ms (2027-01-01 12:00:00 UTC), c1-doctor-0123\n";
        assert_eq!(normal(text, "40123", "8883"), same);
        assert_eq!(normal_word("A1B2C3D4E5F60718293A"), "0123456789ABCDEF…");
        assert_eq!(normal_word("client1-authn-ID"), "client1-authn-ID");
    }
}
