package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistration "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const webhookName = "rig-unschedulable"

func ruleLabel(have rule) string { return fmt.Sprintf("rig.raydeploy.dev/rule-%d", have.ID) }

// syncWebhook registers the webhook only while an Unschedulable rule is in force, so
// that no other run has it among its cluster's objects.
func (r *rig) syncWebhook(ctx context.Context) error {
	hooks := r.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	wanted := false
	for _, have := range r.rules.list() {
		wanted = wanted || have.Mode == "Unschedulable"
	}
	if !wanted {
		err := hooks.Delete(ctx, webhookName, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	ca, err := os.ReadFile(filepath.Join(r.dir, "pki", "ca.crt"))
	if err != nil {
		return err
	}
	url := fmt.Sprintf("https://127.0.0.1:%d/mutate", r.kubeletPort)
	fail, none := admissionregistration.Fail, admissionregistration.SideEffectClassNone
	_, err = hooks.Create(ctx, &admissionregistration.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: webhookName},
		Webhooks: []admissionregistration.MutatingWebhook{{
			Name:                    "unschedulable.rig.raydeploy.dev",
			ClientConfig:            admissionregistration.WebhookClientConfig{URL: &url, CABundle: ca},
			FailurePolicy:           &fail,
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1"},
			Rules: []admissionregistration.RuleWithOperations{{
				Operations: []admissionregistration.OperationType{admissionregistration.Create},
				Rule: admissionregistration.Rule{APIGroups: []string{""},
					APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// serveMutate gives a matching pod a node selector that no node has.
func (r *rig) serveMutate(w http.ResponseWriter, req *http.Request) {
	var review admissionv1.AdmissionReview
	var pod corev1.Pod
	body, err := io.ReadAll(io.LimitReader(req.Body, 8<<20))
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	if err == nil && review.Request == nil {
		err = fmt.Errorf("no request")
	}
	if err == nil {
		err = json.Unmarshal(review.Request.Object.Raw, &pod)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pod.Namespace = review.Request.Namespace
	answer := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	for _, have := range r.rules.list() {
		if have.Mode != "Unschedulable" || !matches(have.Selector, &pod) {
			continue
		}
		selector := map[string]string{ruleLabel(have): "fixed"}
		for key, value := range pod.Spec.NodeSelector {
			selector[key] = value
		}
		kind := admissionv1.PatchTypeJSONPatch
		answer.PatchType = &kind
		answer.Patch, _ = json.Marshal([]map[string]any{
			{"op": "add", "path": "/spec/nodeSelector", "value": selector}})
		break
	}
	review.Request, review.Response = nil, answer
	_ = json.NewEncoder(w).Encode(review)
}

// admitRule lets the pods of a removed rule be scheduled after all.
func (r *rig) admitRule(ctx context.Context, have rule) error {
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:"fixed"}}}`, ruleLabel(have))
	for i := 1; i <= r.nodes; i++ {
		_, err := r.client.CoreV1().Nodes().Patch(ctx, fmt.Sprintf("rig-node-%d", i),
			types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			return err
		}
	}
	return nil
}
