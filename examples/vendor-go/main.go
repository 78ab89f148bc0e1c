// The main job with the vendor's own SDK: find a session by its name, end it, and end all.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	dcs "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dcs/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/dcs/v2/model"
)

// pageSize is small to show how pages are read; up to 1000 are allowed.
const pageSize = 2

var instance = os.Getenv("DCS_INSTANCE_ID")

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	key, err := basic.NewCredentialsBuilder().
		WithAk(os.Getenv("DCS_ACCESS_KEY")).
		WithSk(os.Getenv("DCS_SECRET_KEY")).
		WithProjectId(os.Getenv("DCS_PROJECT_ID")).
		SafeBuild()
	if err != nil {
		return err
	}
	sender, err := dcs.DcsClientBuilder().WithEndpoint(os.Getenv("DCS_ENDPOINT")).WithCredential(key).SafeBuild()
	if err != nil {
		return err
	}
	client := dcs.NewDcsClient(sender)

	nodes, err := client.ShowNodesInformation(&model.ShowNodesInformationRequest{InstanceId: instance})
	if err != nil {
		return err
	}
	node := *(*nodes.Nodes)[0].NodeId
	fmt.Println("nodes:", len(*nodes.Nodes))

	sessions, err := query(client, node)
	if err != nil {
		return err
	}
	fmt.Println("sessions:", len(sessions))

	peers := []string{}
	for _, session := range sessions {
		if *session.Name == "worker" {
			peers = append(peers, *session.Peer)
		}
	}
	kill := model.HangUpClientsRequestBody{NodeId: node, ClientAddrs: peers}
	if _, err := client.HangUpClients(&model.HangUpClientsRequest{InstanceId: instance, Body: &kill}); err != nil {
		return err
	}
	fmt.Println("ended:", peers[0])

	if sessions, err = query(client, node); err != nil {
		return err
	}
	fmt.Println("left:", len(sessions))

	all, err := client.HangUpKillAllClients(&model.HangUpKillAllClientsRequest{
		InstanceId: instance, Body: &model.HangUpKillAllClientsRequestBody{NodeId: &node},
	})
	if err != nil {
		return err
	}
	if err := wait(client, *all.Body); err != nil {
		return err
	}
	fmt.Println("ended all")

	unknown := model.ScanClientsRequestBody{NodeId: ref("no-such-node")}
	_, err = client.ScanClients(&model.ScanClientsRequest{InstanceId: instance, Body: &unknown})
	if err := refused(err); err != nil {
		return err
	}
	// The gateway in front of the service answers for these; the last answer is no JSON.
	for _, id := range []string{"gateway", "throttled", "unavailable"} {
		_, err := client.ShowJobInfo(&model.ShowJobInfoRequest{JobId: id})
		if err := refused(err); err != nil {
			return err
		}
	}
	return nil
}

// query has a node queried, waits, and reads the whole list.
func query(client *dcs.DcsClient, node string) ([]model.ClientInfo, error) {
	scan := model.ScanClientsRequestBody{NodeId: &node, CleanCache: ref(true)}
	started, err := client.ScanClients(&model.ScanClientsRequest{InstanceId: instance, Body: &scan})
	if err != nil {
		return nil, err
	}
	if err := wait(client, *started.Body); err != nil {
		return nil, err
	}
	sessions := []model.ClientInfo{}
	for {
		page, err := client.ListClients(&model.ListClientsRequest{
			InstanceId: instance, NodeId: &node, Offset: ref(int32(len(sessions))), Limit: ref(int32(pageSize)),
		})
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, *page.Clients...)
		if len(*page.Clients) == 0 || len(sessions) >= int(*page.Count) {
			return sessions, nil
		}
	}
}

// wait waits for the job that an answer names. The SDK leaves these answers untyped.
func wait(client *dcs.DcsClient, started any) error {
	id := started.(map[string]any)["job_id"].(string)
	for {
		job, err := client.ShowJobInfo(&model.ShowJobInfoRequest{JobId: id})
		if err != nil {
			return err
		}
		switch job.Status.Value() {
		case "SUCCESS":
			return nil
		case "FAIL":
			return fmt.Errorf("job %s failed", id)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// refused prints a refusal, or returns an error that is not a refusal.
func refused(err error) error {
	var refusal *sdkerr.ServiceResponseError
	if !errors.As(err, &refusal) {
		return fmt.Errorf("not refused: %w", err)
	}
	fmt.Println("refused:", refusal.StatusCode, refusal.ErrorCode, refusal.RequestId)
	return nil
}

func ref[T any](value T) *T { return &value }
