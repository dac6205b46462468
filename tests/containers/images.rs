//! Reproducible images: the same tree gives the same images.

use crate::{
    engine::{SERVICES, docker, root, text},
    stack::Stack,
};

/// The digests of each image's layers.
fn layers() -> Vec<(&'static str, String)> {
    let ours = SERVICES
        .into_iter()
        .filter(|(service, _)| *service != "tailscale");
    let of = |(service, _)| {
        let image = format!("contractual/{service}:0.1.0");
        let said = docker(&[
            "image",
            "inspect",
            "--format",
            "{{json .RootFS.Layers}}",
            &image,
        ]);
        (service, said.trim().to_owned())
    };
    ours.map(of).collect()
}

#[tokio::test]
async fn a_second_build_gives_the_same_layers() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    let file = root().join("deploy/docker-compose.yml");
    let mut found = Vec::new();
    for _ in 0..2 {
        let built = stack.compose(&file, &["build", "--no-cache", "--quiet"]);
        assert!(built.status.success(), "{}", text(&built));
        found.push(layers());
    }
    assert_eq!(found[0], found[1]);
}
