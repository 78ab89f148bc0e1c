//! The main job with the client of OpenAPI Generator: find a session by its name, and end it.

use std::{env, error::Error, time::Duration};

use dcs::apis::configuration::{ApiKey, Configuration};
use dcs::apis::sessions_api::ScanClientsError;
use dcs::apis::{jobs_api, nodes_api, sessions_api, Error as CallError};
use dcs::models::{KillRequest, ScanRequest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let configuration = Configuration {
        base_path: env::var("DCS_ENDPOINT")?,
        api_key: Some(ApiKey {
            prefix: None,
            key: env::var("DCS_TOKEN")?,
        }),
        ..Configuration::default()
    };
    let project = env::var("DCS_PROJECT_ID")?;
    let instance = env::var("DCS_INSTANCE_ID")?;

    let list = nodes_api::show_nodes_information(&configuration, &project, &instance).await?;
    let node = list.nodes[0].node_id.clone();
    println!("nodes: {}", list.nodes.len());

    let fresh = ScanRequest {
        node_id: node.clone(),
        clean_cache: Some(true),
    };
    let scan = sessions_api::scan_clients(&configuration, &project, &instance, fresh).await?;
    wait(&configuration, &project, &scan.job_id).await?;

    // This generator puts the node first here, and all three are strings.
    let page = sessions_api::list_clients(
        &configuration,
        &node,
        &project,
        &instance,
        None,
        Some(1000),
        None,
        None,
        None,
    )
    .await?;
    println!("sessions: {}", page.count);

    let peer = page
        .clients
        .into_iter()
        .find(|session| session.name.as_deref() == Some("worker"))
        .and_then(|session| session.peer)
        .ok_or("no session is called worker")?;
    let kill = KillRequest::new(node, vec![peer.clone()]);
    sessions_api::hang_up_clients(&configuration, &project, &instance, kill).await?;
    println!("ended: {peer}");

    let wrong = ScanRequest::new("no-such-node".to_owned());
    match sessions_api::scan_clients(&configuration, &project, &instance, wrong).await {
        Err(CallError::ResponseError(refusal)) => {
            // The first variant that fits is taken, so only the status tells which it is.
            if let Some(ScanClientsError::Status400(error)) = refusal.entity {
                println!("refused: {} {}", refusal.status.as_u16(), error.error_code);
            }
            Ok(())
        }
        other => Err(format!("not refused: {other:?}").into()),
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
