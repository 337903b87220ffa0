package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const tokenSeconds = 24 * 3600 // longer than any test: tokens are not renewed

// prepareVolumes makes a folder for every volume of the pod: name to folder.
func (s *sandbox) prepareVolumes(ctx context.Context) (map[string]string, error) {
	dirs := map[string]string{}
	for i := range s.pod.Spec.Volumes {
		volume := &s.pod.Spec.Volumes[i]
		dir, err := s.prepareVolume(ctx, volume)
		if err != nil {
			return nil, fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", volume.Name, err)
		}
		dirs[volume.Name] = dir
	}
	return dirs, nil
}

func (s *sandbox) prepareVolume(ctx context.Context, volume *corev1.Volume) (string, error) {
	dir := filepath.Join(s.dir, "volumes", volume.Name)
	if volume.PersistentVolumeClaim != nil {
		return s.claimDir(volume.PersistentVolumeClaim.ClaimName)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		return "", err
	}
	switch {
	case volume.EmptyDir != nil:
		if volume.EmptyDir.Medium != corev1.StorageMediumMemory || s.tmpfs[dir] {
			return dir, nil
		}
		size := int64(s.rig.shmMB) << 20
		if limit := volume.EmptyDir.SizeLimit; limit != nil && limit.Value() > 0 {
			size = min(size, limit.Value())
		}
		if err := s.mountTmpfs(dir, size); err != nil {
			return "", err
		}
		return dir, nil
	case volume.HostPath != nil:
		return dir, nil // never this machine's own files
	case volume.Secret != nil:
		data, err := s.secret(ctx, volume.Secret.SecretName, volume.Secret.Optional)
		if err != nil {
			return "", err
		}
		return dir, writeKeys(dir, data, volume.Secret.Items)
	case volume.ConfigMap != nil:
		data, err := s.configMap(ctx, volume.ConfigMap.Name, volume.ConfigMap.Optional)
		if err != nil {
			return "", err
		}
		return dir, writeKeys(dir, data, volume.ConfigMap.Items)
	case volume.DownwardAPI != nil:
		return dir, s.writeFields(dir, volume.DownwardAPI.Items)
	case volume.Projected != nil:
		for i := range volume.Projected.Sources {
			if err := s.project(ctx, dir, &volume.Projected.Sources[i]); err != nil {
				return "", err
			}
		}
		return dir, nil
	}
	return "", fmt.Errorf("the rig knows no such kind of volume")
}

// mountTmpfs mounts in riglet's own mount namespace, from which containers take
// their view.
func (s *sandbox) mountTmpfs(dir string, size int64) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("mode=1777,size=%d", size)); err != nil {
		return err
	}
	s.tmpfs[dir] = true
	return nil
}

func (s *sandbox) claimDir(name string) (string, error) {
	claim, err := s.rig.claims.PersistentVolumeClaims(s.pod.Namespace).Get(name)
	if err != nil {
		return "", err
	}
	if claim.Status.Phase != corev1.ClaimBound {
		return "", fmt.Errorf("claim %s is not bound", name)
	}
	volume, err := s.rig.volumes.Get(claim.Spec.VolumeName)
	if err != nil {
		return "", err
	}
	// A volume of another maker gets a folder of its own, the same for every pod.
	dir := s.rig.volumeDir(volume.Name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o777)
}

func writeKeys(dir string, data map[string]string, items []corev1.KeyToPath) error {
	if items == nil {
		for key := range data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok {
			return fmt.Errorf("references non-existent key: %s", item.Key)
		}
		if err := writeInto(dir, item.Path, value); err != nil {
			return err
		}
	}
	return nil
}

func writeInto(dir, path, value string) error {
	file := filepath.Join(dir, path)
	if !strings.HasPrefix(file, dir+"/") {
		return fmt.Errorf("path %q leaves the volume", path)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(value), 0o644)
}

func (s *sandbox) writeFields(dir string, items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		if item.FieldRef == nil {
			continue
		}
		value, err := s.field(item.FieldRef.FieldPath)
		if err == nil {
			err = writeInto(dir, item.Path, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sandbox) project(ctx context.Context, dir string, source *corev1.VolumeProjection) error {
	switch {
	case source.ServiceAccountToken != nil:
		token, err := s.serviceAccountToken(ctx, source.ServiceAccountToken)
		if err != nil {
			return err
		}
		return writeInto(dir, source.ServiceAccountToken.Path, token)
	case source.ConfigMap != nil:
		data, err := s.configMap(ctx, source.ConfigMap.Name, source.ConfigMap.Optional)
		if err != nil {
			return err
		}
		return writeKeys(dir, data, source.ConfigMap.Items)
	case source.Secret != nil:
		data, err := s.secret(ctx, source.Secret.Name, source.Secret.Optional)
		if err != nil {
			return err
		}
		return writeKeys(dir, data, source.Secret.Items)
	case source.DownwardAPI != nil:
		return s.writeFields(dir, source.DownwardAPI.Items)
	}
	return fmt.Errorf("the rig knows no such projection")
}

// serviceAccountToken is a real token of the pod's account, bound to the pod.
func (s *sandbox) serviceAccountToken(ctx context.Context,
	source *corev1.ServiceAccountTokenProjection) (string, error) {
	seconds := int64(tokenSeconds)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &seconds,
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1",
			Name: s.pod.Name, UID: s.pod.UID},
	}}
	if source.Audience != "" {
		request.Spec.Audiences = []string{source.Audience}
	}
	answer, err := s.rig.client.CoreV1().ServiceAccounts(s.pod.Namespace).CreateToken(ctx,
		s.pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return answer.Status.Token, nil
}
