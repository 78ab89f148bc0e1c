//! The main job with the client of OpenAPI Generator: find a session by its name, and end it.

mod sign;

use std::{env, error::Error, time::Duration};

use dcs::apis::configuration::{ApiKey, Configuration};
use dcs::apis::{jobs_api, nodes_api, sessions_api, Error as CallError};
use dcs::models::{ErrorBody, KillRequest, ScanRequest};
use http::Extensions;
use reqwest::{header::HeaderValue, Request, Response};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use sign::Key;
use url::Position;

// Small to show how pages are read; up to 1000 are allowed.
const LIMIT: i64 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut configuration = Configuration {
        base_path: env::var("DCS_ENDPOINT")?,
        ..Configuration::default()
    };
    if let Ok(key) = env::var("DCS_TOKEN") {
        configuration.api_key = Some(ApiKey { prefix: None, key });
    } else {
        let signer = Signer(Key {
            access_key: env::var("DCS_ACCESS_KEY")?,
            secret_key: env::var("DCS_SECRET_KEY")?,
            security_token: None,
        });
        let client = reqwest::Client::new();
        configuration.client = ClientBuilder::new(client).with(signer).build();
    }
    let project = env::var("DCS_PROJECT_ID")?;
    let instance = env::var("DCS_INSTANCE_ID")?;

    let list = nodes_api::show_nodes_information(&configuration, &project, &instance).await?;
    let node = list.nodes[0].node_id.clone();
    println!("nodes: {}", list.nodes.len());

    let scan = ScanRequest::new(node.clone());
    let scan = sessions_api::scan_clients(&configuration, &project, &instance, scan).await?;
    wait(&configuration, &project, &scan.job_id).await?;

    let mut sessions = Vec::new();
    loop {
        let offset = Some(sessions.len() as i64);
        let page = sessions_api::list_clients(
            &configuration,
            &project,
            &instance,
            &node,
            offset,
            Some(LIMIT),
            None,
            None,
            None,
        )
        .await?;
        let empty = page.clients.is_empty();
        sessions.extend(page.clients);
        if empty || sessions.len() as i64 >= page.count {
            break;
        }
    }
    println!("sessions: {}", sessions.len());

    let peer = sessions
        .into_iter()
        .find(|session| session.name.as_deref() == Some("worker"))
        .and_then(|session| session.peer)
        .ok_or("no session is called worker")?;
    let kill = KillRequest::new(node, vec![peer.clone()]);
    sessions_api::hang_up_clients(&configuration, &project, &instance, kill).await?;
    println!("ended: {peer}");

    let wrong = ScanRequest::new("no-such-node".to_owned());
    match sessions_api::scan_clients(&configuration, &project, &instance, wrong).await {
        Err(CallError::ResponseError(refusal)) => refused(refusal.status.as_u16(), &refusal.content),
        other => return Err(format!("not refused: {other:?}").into()),
    }
    // The gateway in front of the service answers for these.
    for id in ["gateway", "throttled", "unavailable"] {
        match jobs_api::show_job_info(&configuration, &project, id).await {
            Err(CallError::ResponseError(refusal)) => refused(refusal.status.as_u16(), &refusal.content),
            other => return Err(format!("not refused: {other:?}").into()),
        }
    }
    Ok(())
}

/// Print the error of the contract, where the answer is one.
///
/// The generated `entity` is the first variant that fits, whatever the status, so it is not used.
fn refused(status: u16, content: &str) {
    match serde_json::from_str::<ErrorBody>(content) {
        Ok(error) => {
            let id = error.request_id.unwrap_or_default();
            println!("refused: {status} {} {id}", error.error_code);
        }
        Err(_) => println!("refused: {status} without an error of the contract"),
    }
}

/// Signs each request as it is sent.
struct Signer(Key);

#[async_trait::async_trait]
impl Middleware for Signer {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let url = request.url().clone();
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let date = chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
        let mut headers = vec![("X-Sdk-Date", date.as_str())];
        if let Some(token) = &self.0.security_token {
            headers.push(("X-Security-Token", token));
        }
        let mut signed = headers.clone();
        signed.push(("Host", host));
        let body = request.body().and_then(|body| body.as_bytes()).unwrap_or(b"");
        let authorization =
            self.0
                .authorization(request.method().as_str(), target, &signed, body);
        headers.push(("Authorization", &authorization));
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(reqwest_middleware::Error::middleware)?;
            request.headers_mut().insert(name, value);
        }
        next.run(request, extensions).await
    }
}

async fn wait(
    configuration: &Configuration,
    project: &str,
    job_id: &str,
) -> Result<(), Box<dyn Error>> {
    for _ in 0..300 {
        let job = jobs_api::show_job_info(configuration, project, job_id).await?;
        match job.status.as_str() {
            "SUCCESS" => return Ok(()),
            "FAIL" => return Err(format!("{job_id} failed").into()),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    Err(format!("{job_id} does not end").into())
}

#[test]
fn signatures_are_those_of_the_vectors() {
    let text = std::fs::read_to_string("../../signing-vectors.json").unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert!(!vectors.is_empty());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    for vector in vectors {
        let (input, expected) = (&vector["input"], &vector["expected"]);
        let key = Key {
            access_key: text(&input["access_key"]),
            secret_key: text(&input["secret_key"]),
            security_token: None,
        };
        let headers = expected["headers"].as_object().unwrap();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let method = text(&input["method"]);
        let target = text(&expected["request_target"]);
        let body = text(&input["body"]);
        assert_eq!(
            key.authorization(&method, &target, &headers, body.as_bytes()),
            text(&expected["authorization"]),
            "{}",
            vector["name"]
        );
    }
}
