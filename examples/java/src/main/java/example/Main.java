package example;

import com.fasterxml.jackson.core.JsonProcessingException;
import dcs.ApiClient;
import dcs.ApiException;
import dcs.api.JobsApi;
import dcs.api.NodesApi;
import dcs.api.SessionsApi;
import dcs.model.ErrorBody;
import dcs.model.Job;
import dcs.model.KillRequest;
import dcs.model.NodeList;
import dcs.model.ScanRequest;
import dcs.model.Session;
import dcs.model.SessionPage;
import java.util.ArrayList;
import java.util.List;

/** The main job with the client of OpenAPI Generator: find a session by its name, and end it. */
public final class Main {
  private static final String PROJECT = System.getenv("DCS_PROJECT_ID");
  private static final String INSTANCE = System.getenv("DCS_INSTANCE_ID");

  // Small to show how pages are read; up to 1000 are allowed.
  private static final long LIMIT = 2;

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    ApiClient client = new ApiClient();
    client.updateBaseUri(System.getenv("DCS_ENDPOINT"));
    String token = System.getenv("DCS_TOKEN");
    Signer signer =
        new Signer(System.getenv("DCS_ACCESS_KEY"), System.getenv("DCS_SECRET_KEY"), null);
    client.setRequestInterceptor(
        token == null ? signer::sign : request -> request.header("X-Auth-Token", token));
    SessionsApi sessions = new SessionsApi(client);

    NodeList list = new NodesApi(client).showNodesInformation(PROJECT, INSTANCE);
    String node = list.getNodes().get(0).getNodeId();
    System.out.println("nodes: " + list.getNodes().size());

    JobsApi jobs = new JobsApi(client);
    ScanRequest scan = new ScanRequest().nodeId(node);
    await(jobs, sessions.scanClients(PROJECT, INSTANCE, scan).getJobId());

    List<Session> all = new ArrayList<>();
    SessionPage page;
    do {
      long offset = all.size();
      page = sessions.listClients(PROJECT, INSTANCE, node, offset, LIMIT, null, null, null);
      all.addAll(page.getClients());
    } while (!page.getClients().isEmpty() && all.size() < page.getCount());
    System.out.println("sessions: " + all.size());

    String peer =
        all.stream()
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
      refused(refusal);
    }
    // The gateway in front of the service answers for these.
    for (String id : List.of("gateway", "throttled", "unavailable")) {
      try {
        jobs.showJobInfo(PROJECT, id);
      } catch (ApiException refusal) {
        refused(refusal);
      }
    }
  }

  /** Prints the error of the contract, where the answer is one. */
  private static void refused(ApiException refusal) {
    String text = "refused: " + refusal.getCode();
    try {
      ErrorBody error = ApiClient.createDefaultObjectMapper().readValue(refusal.getResponseBody(), ErrorBody.class);
      text += " " + error.getErrorCode();
      if (error.getRequestId() != null) text += " " + error.getRequestId();
    } catch (JsonProcessingException noJson) {
      text += " without an error of the contract";
    }
    System.out.println(text);
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
