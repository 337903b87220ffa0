package main

import (
	"context"
	"log"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// The provisioner of the local-path kind: a folder on one node, made when the
// scheduler has chosen that node. Claims are bound by the real controller.
const (
	provisionerName  = "rancher.io/local-path"
	provisionedByKey = "pv.kubernetes.io/provisioned-by"
	selectedNodeKey  = "volume.kubernetes.io/selected-node"
)

func (r *rig) watchVolumes(factory informers.SharedInformerFactory) error {
	add := func(informer cache.SharedIndexInformer, kind string) error {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(obj any) { r.enqueue(kind, obj) },
			UpdateFunc: func(_, obj any) { r.enqueue(kind, obj) },
		})
		return err
	}
	if err := add(factory.Core().V1().PersistentVolumeClaims().Informer(), "claim"); err != nil {
		return err
	}
	return add(factory.Core().V1().PersistentVolumes().Informer(), "volume")
}

func (r *rig) volumeDir(name string) string { return filepath.Join(r.dir, "volumes", name) }

func (r *rig) syncClaim(ctx context.Context, namespace, name string) error {
	claim, err := r.claims.PersistentVolumeClaims(namespace).Get(name)
	if err != nil || claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil ||
		claim.Spec.StorageClassName == nil {
		return client404(err)
	}
	class, err := r.classes.Get(*claim.Spec.StorageClassName)
	if err != nil || class.Provisioner != provisionerName {
		return client404(err)
	}
	shared := class.Parameters["shared"] == "true"
	node := claim.Annotations[selectedNodeKey]
	if !shared && node == "" {
		return nil // the scheduler has not chosen yet
	}
	for _, mode := range claim.Spec.AccessModes {
		if !shared && mode != corev1.ReadWriteOnce && mode != corev1.ReadWriteOncePod {
			r.events.Eventf(claim, corev1.EventTypeWarning, "ProvisioningFailed",
				"failed to provision volume with StorageClass %q: access mode %s is not supported: "+
					"a folder of one node is ReadWriteOnce or ReadWriteOncePod", class.Name, mode)
			return nil
		}
	}
	volumeName := "pvc-" + string(claim.UID)
	if _, err := r.volumes.Get(volumeName); err == nil {
		return nil
	}
	if err := os.MkdirAll(r.volumeDir(volumeName), 0o777); err != nil {
		return err
	}
	if err := os.Chmod(r.volumeDir(volumeName), 0o777); err != nil { // whatever the umask is
		return err
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: volumeName,
			Annotations: map[string]string{provisionedByKey: provisionerName}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{
				corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: *class.ReclaimPolicy,
			StorageClassName:              class.Name,
			VolumeMode:                    claim.Spec.VolumeMode,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: r.volumeDir(volumeName)}},
			ClaimRef: &corev1.ObjectReference{Kind: "PersistentVolumeClaim", APIVersion: "v1",
				Namespace: namespace, Name: name, UID: claim.UID},
		},
	}
	if !shared {
		volume.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn,
					Values: []string{node}}}}}}}
	}
	_, err = r.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		log.Printf("volume %s made for claim %s/%s", volumeName, namespace, name)
		r.events.Eventf(claim, corev1.EventTypeNormal, "ProvisioningSucceeded",
			"Successfully provisioned volume %s", volumeName)
	}
	return err
}

// syncVolume deletes a released volume together with its folder.
func (r *rig) syncVolume(ctx context.Context, name string) error {
	volume, err := r.volumes.Get(name)
	if err != nil || volume.Annotations[provisionedByKey] != provisionerName ||
		volume.Status.Phase != corev1.VolumeReleased || volume.DeletionTimestamp != nil ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return client404(err)
	}
	if err := os.RemoveAll(r.volumeDir(name)); err != nil {
		return err
	}
	log.Printf("volume %s removed", name)
	return client404(r.client.CoreV1().PersistentVolumes().Delete(ctx, name, metav1.DeleteOptions{}))
}

// client404 turns "it is gone" into success.
func client404(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
