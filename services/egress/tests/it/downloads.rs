//! Tests answers that are files: stored as they are or not at all, with little memory.

use std::process::Command;
use std::sync::Mutex;

use bus_schema::{CONTENT_BYTES_MAX, Digest, Download, Salt, Sealed};
use egress::Fault;
use serde_json::{Value, json};

use crate::secrets::{VALUE, call, credential};
use crate::world::{BLOCK, End, Sent, World, answer, gzip};

/// The entry of a tool that downloads.
fn entry(world: &World, bytes_max: u64) -> Value {
    let mut entry = world.entry();
    entry["answer"] = json!({"type": "download"});
    entry["limits"]["answer_bytes_max"] = json!(bytes_max);
    entry
}

/// An answer with this body.
fn file(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = answer("200 OK", headers, "");
    let head = head.replace("length: 0", &format!("length: {}", body.len()));
    [head.as_bytes(), body].concat()
}

async fn read(answer: Vec<u8>, bytes_max: u64) -> (World, Sent) {
    let world = World::new(answer, End::Close).await;
    let sent = world
        .call_with(&entry(&world, bytes_max), &json!({}), &world.reach())
        .await;
    (world, sent)
}

/// Stores the file of a call; returns what its output says, and its parts.
async fn stored(sent: Sent) -> (Download, Vec<Vec<u8>>) {
    let parts = Mutex::new(Vec::new());
    let put = async |part: Vec<u8>| {
        let sealed = Sealed::new(Salt::new([7; 32]), &part).unwrap();
        parts.lock().unwrap().push(part);
        Ok(sealed.content())
    };
    let (output, bytes) = sent.file.unwrap().store(put).await.unwrap();
    let mut output: Value = serde_json::from_slice(&output).unwrap();
    let download: Download = serde_json::from_value(output["download"].take()).unwrap();
    assert_eq!(download.bytes, bytes);
    assert!(download.is_whole());
    (download, parts.into_inner().unwrap())
}

/// Returns true if nothing of a download is left on the disk.
fn is_clean(world: &World) -> bool {
    std::fs::read_dir(world.folder.path())
        .unwrap()
        .next()
        .is_none()
}

#[tokio::test]
async fn a_file_is_stored_in_parts_as_it_is() {
    let body: Vec<u8> = (0..2 * CONTENT_BYTES_MAX + 1000)
        .map(|n| (n % 251) as u8)
        .collect();
    let head = "content-type: Application/PDF; a=b\r\ncontent-disposition: attachment; FileName=\"a b.pdf\"\r\n";
    let zipped = gzip(&body);
    let encoded = format!("{head}content-encoding: gzip\r\n");
    for answer in [file(head, &body), file(&encoded, &zipped)] {
        let (world, sent) = read(answer, 20 << 20).await;
        let (download, parts) = stored(sent).await;
        assert_eq!(download.media_type.as_deref(), Some("application/pdf"));
        assert_eq!(download.name.as_deref(), Some("a b.pdf"));
        assert_eq!(download.sha256, Digest::of(&[&body]));
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        assert_eq!(sizes, [CONTENT_BYTES_MAX, CONTENT_BYTES_MAX, 1000]);
        assert!(parts.concat() == body);
        assert!(is_clean(&world));
    }
    let (_, sent) = read(file("", b""), 100).await;
    let (download, parts) = stored(sent).await;
    assert_eq!(
        (download.bytes, download.parts.len(), parts.len()),
        (0, 0, 0)
    );
}

/// Reads a file with each of these headers, which give it this name and this type.
async fn named(cases: &[(&str, Option<&str>, Option<&str>)]) {
    for (headers, name, media) in cases {
        let (_, sent) = read(file(headers, b"x"), 100).await;
        let (download, _) = stored(sent).await;
        assert_eq!(
            (download.name.as_deref(), download.media_type.as_deref()),
            (*name, *media),
            "{headers}"
        );
    }
}

#[tokio::test]
async fn a_name_is_one_name_and_a_type_is_a_type() {
    named(&[
        (
            "content-disposition: attachment; filename=a.txt\r\n",
            Some("a.txt"),
            None,
        ),
        (
            "content-disposition: attachment; filename=\"../a.txt\"\r\n",
            None,
            None,
        ),
        (
            "content-disposition: attachment; filename=\"/etc/passwd\"\r\n",
            None,
            None,
        ),
        (
            "content-disposition: attachment; filename=\"a\\\"b\"\r\n",
            None,
            None,
        ),
        (
            "content-disposition: attachment; filename=\"..\"\r\n",
            None,
            None,
        ),
        (
            "content-disposition: attachment; filename=\"a\r\ncontent-type: text/plain\r\n",
            None,
            Some("text/plain"),
        ),
        (
            "content-disposition: attachment\r\ncontent-type: text\r\n",
            None,
            None,
        ),
        ("content-type: text/<b>\r\n", None, None),
    ])
    .await;
}

#[tokio::test]
async fn an_extended_name_comes_first_and_is_one_name_as_well() {
    named(&[
        (
            "content-disposition: attachment; filename=\"a.txt\"; filename*=UTF-8''na%C3%AFve%20b.txt\r\n",
            Some("na\u{ef}ve b.txt"),
            None,
        ),
        (
            "content-disposition: attachment; filename*=utf-8'de'b.txt; filename=a.txt\r\n",
            Some("b.txt"),
            None,
        ),
        (
            "content-disposition: attachment; filename*=UTF-8''..%2Fb; filename=a.txt\r\n",
            Some("a.txt"),
            None,
        ),
        (
            "content-disposition: attachment; filename*=UTF-8''a%00b%0Ac\r\n",
            None,
            None,
        ),
        (
            "content-disposition: attachment; filename*=UTF-8''%E2%80%AEtxt.exe\r\n",
            None,
            None,
        ),
        (
            "content-disposition: attachment; filename*=UTF-8''%ff%f\r\n",
            None,
            None,
        ),
        (
            "content-disposition: attachment; filename*=iso-8859-1''a.txt\r\n",
            None,
            None,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_file_that_is_cut_off_or_too_large_is_not_stored() {
    let bomb = gzip(&vec![0; 64 << 20]);
    let mut torn = gzip(b"hello");
    torn.truncate(torn.len() - 3);
    let zipped = "content-encoding: gzip\r\n";
    for (answer, part) in [
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello".to_vec(),
            "broke the connection off",
        ),
        (file(zipped, &bomb), "more than 1000000 bytes"),
        (file(zipped, &torn), "not encoded as it says"),
        (file("", &vec![0; 1_000_001]), "more than 1000000 bytes"),
        (
            answer("404 No", "", "nothing here").into_bytes(),
            "the code 404, and its answer begins with \"nothing here\"",
        ),
        // An error is no file, and is kept in memory.
        (
            answer("404 No", "", &"x".repeat(70_000)).into_bytes(),
            "more than 65536 bytes",
        ),
    ] {
        let (world, sent) = read(answer, 1_000_000).await;
        assert!(sent.file.is_none());
        let said = sent.output.unwrap_err().to_string();
        assert!(said.contains(part), "{part}: {said}");
        assert!(is_clean(&world));
    }
    // The grant has a bound as well.
    let mut world = World::new(file("", &[0; 1001]), End::Close).await;
    for (granted, fits) in [(1000, false), (1001, true)] {
        world.granted = granted;
        let sent = world
            .call_with(&entry(&world, 1_000_000), &json!({}), &world.reach())
            .await;
        assert_eq!(sent.output.is_ok(), fits);
    }
}

#[tokio::test]
async fn a_file_with_the_secret_is_not_stored() {
    let body = format!("before {VALUE} behind");
    for size in [1, 3, 7, 11, body.len()] {
        let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.as_bytes().chunks(size) {
            answer.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
            answer.extend(chunk);
            answer.extend(b"\r\n");
        }
        answer.extend(b"0\r\n\r\n");
        let world = World::new(answer, End::Close).await;
        let secret = credential(&[world.endpoint()], "header:x-key");
        let mut with = entry(&world, 1000);
        with["secret"] = json!("crm");
        let sent = call(&world, &with, &secret).await;
        assert!(sent.file.is_none());
        let fault = sent.output.unwrap_err();
        assert!(matches!(fault, Fault::SecretInFile), "{fault}");
        assert!(is_clean(&world));
        // Without the secret in the call, the same bytes are a file.
        let sent = world
            .call_with(&entry(&world, 1000), &json!({}), &world.reach())
            .await;
        let (download, parts) = stored(sent).await;
        assert_eq!(
            (download.bytes, parts.concat()),
            (body.len() as u64, body.clone().into_bytes())
        );
    }
    // Only the beginning of it, at the end: that is no secret.
    let world = World::new(file("", &body.as_bytes()[..20]), End::Close).await;
    let secret = credential(&[world.endpoint()], "header:x-key");
    let mut entry = entry(&world, 1000);
    entry["secret"] = json!("crm");
    let (_, parts) = stored(call(&world, &entry, &secret).await).await;
    assert_eq!(parts.concat(), &body.as_bytes()[..20]);
}

#[tokio::test]
async fn a_file_that_finds_no_place_is_a_fault() {
    let mut world = World::new(file("", b"x"), End::Close).await;
    world.lose_folder();
    let sent = world
        .call_with(&entry(&world, 1000), &json!({}), &world.reach())
        .await;
    let fault = sent.output.unwrap_err();
    assert!(matches!(fault, Fault::Disk(_)), "{fault}");
}

/// The most memory that this process has had, in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kib.parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn a_large_file_needs_little_memory() {
    // Tells the test that nothing else runs in its process; it skips no test.
    const ALONE: &str = "in-a-process-of-its-own";
    if std::env::args().any(|argument| argument == ALONE) {
        a_large_file().await;
        return;
    }
    let test = "downloads::a_large_file_needs_little_memory";
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--skip", ALONE, "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

async fn a_large_file() {
    const BYTES: usize = 64 << 20;
    let before = memory();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n");
    let blocks = u32::try_from(BYTES / BLOCK).unwrap();
    let world = World::new(head, End::Blocks(blocks)).await;
    let sent = world
        .call_with(&entry(&world, 1 << 30), &json!({}), &world.reach())
        .await;
    let put = async |part: Vec<u8>| {
        let sealed = Sealed::new(Salt::new([7; 32]), &part).unwrap();
        Ok(sealed.content())
    };
    let (_, bytes) = sent.file.unwrap().store(put).await.unwrap();
    assert_eq!(bytes, BYTES as u64);
    // A part, its sealed copy and buffers; a body in memory would need 64 MiB more.
    let used = memory() - before;
    assert!(used < 40 << 20, "{used}");
}
