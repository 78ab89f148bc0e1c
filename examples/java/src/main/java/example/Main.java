package example;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dcs.ApiClient;
import dcs.ApiException;
import dcs.api.JobsApi;
import dcs.api.NodesApi;
import dcs.api.SessionsApi;
import dcs.model.Job;
import dcs.model.KillRequest;
import dcs.model.NodeList;
import dcs.model.ScanRequest;
import dcs.model.Session;
import dcs.model.SessionPage;
import java.util.List;

/** The main job with the client of OpenAPI Generator: find a session by its name, and end it. */
public final class Main {
  private static final String PROJECT = System.getenv("DCS_PROJECT_ID");
  private static final String INSTANCE = System.getenv("DCS_INSTANCE_ID");

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    ApiClient client = new ApiClient();
    client.updateBaseUri(System.getenv("DCS_ENDPOINT"));
    client.setRequestInterceptor(
        request -> request.header("X-Auth-Token", System.getenv("DCS_TOKEN")));
    SessionsApi sessions = new SessionsApi(client);

    NodeList list = new NodesApi(client).showNodesInformation(PROJECT, INSTANCE);
    String node = list.getNodes().get(0).getNodeId();
    System.out.println("nodes: " + list.getNodes().size());

    ScanRequest fresh = new ScanRequest().nodeId(node).cleanCache(true);
    await(new JobsApi(client), sessions.scanClients(PROJECT, INSTANCE, fresh).getJobId());

    // This generator puts the node first here, and all three are strings.
    SessionPage page =
        sessions.listClients(node, PROJECT, INSTANCE, 0, 1000, null, null, null);
    System.out.println("sessions: " + page.getCount());

    String peer =
        page.getClients().stream()
            .filter(session -> "worker".equals(session.getName()))
            .map(Session::getPeer)
            .findFirst()
            .orElseThrow();
    sessions.hangUpClients(
        PROJECT, INSTANCE, new KillRequest().nodeId(node).clientAddrs(List.of(peer)));
    System.out.println("ended: " + peer);

    try {
      sessions.scanClients(PROJECT, INSTANCE, new ScanRequest().nodeId("no-such-node"));
    } catch (ApiException refusal) {
      // Not java.lang.Error: the contract's.
      dcs.model.Error error =
          JsonMapper.builder().build().readValue(refusal.getResponseBody(), dcs.model.Error.class);
      System.out.println("refused: " + refusal.getCode() + " " + error.getErrorCode());
    }
  }

  private static void await(JobsApi jobs, String id) throws Exception {
    for (int attempt = 0; attempt < 300; attempt++) {
      Job job = jobs.showJobInfo(PROJECT, id);
      switch (job.getStatus()) {
        case "SUCCESS" -> {
          return;
        }
        case "FAIL" -> throw new IllegalStateException(id + " failed");
        default -> Thread.sleep(100);
      }
    }
    throw new IllegalStateException(id + " does not end");
  }
}
