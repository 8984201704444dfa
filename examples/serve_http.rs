//! Plain HTTP, for trying out.
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use knarr::apiserver::{Config, Peer, Service, StaticToken};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let dir = std::env::var("DIR").unwrap();
    let token = StaticToken {
        token: "admin-token".into(),
        user: "admin".into(),
        uid: "admin".into(),
        groups: vec!["system:masters".into()],
    };
    let service = Service::open(Config {
        port,
        static_tokens: vec![token],
        client_ca: Some("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".into()),
        ..Config::default()
    })
    .unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    std::fs::write(format!("{dir}/kubeconfig"), format!("apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster:\n    server: http://127.0.0.1:{port}\nusers:\n- name: u\n  user:\n    token: cert\ncontexts:\n- name: c\n  context:\n    cluster: c\n    user: u\ncurrent-context: c\n")).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service.clone();
        tokio::spawn(async move {
            let handler = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let service = service.clone();
                async move {
                    let (mut parts, body) = request.into_parts();
                    let bytes = body.collect().await.unwrap().to_bytes();
                    let cert = parts.headers.get("authorization").is_some_and(|v| v == "Bearer cert");
                    let peer = if cert {
                        parts.headers.remove("authorization");
                        Peer::in_process()
                    } else {
                        Peer::default()
                    };
                    let response = service.call(http::Request::from_parts(parts, bytes), peer).await;
                    Ok::<_, std::convert::Infallible>(response)
                }
            });
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), handler)
                .await;
        });
    }
}
