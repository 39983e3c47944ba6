//! Makes the layer folders that are missing, and stacks them.

use camino::Utf8PathBuf;

use super::error::ImageError;
use super::layers::{LayerRequest, Unpacker};
use super::source::Image;
use super::store::ImageStore;
use super::unpack::{UnpackJob, XattrMode, is_opaque};

pub(super) struct Maker<'a, 'b> {
    pub(super) request: &'a LayerRequest<'a>,
    pub(super) store: &'a ImageStore,
    pub(super) progress: &'a mut dyn FnMut(u64, Option<u64>),
    pub(super) unpack: Unpacker<'b>,
}

impl Maker<'_, '_> {
    /// Makes all layers of an image that are not there; gives the folders for an overlay.
    pub(super) fn make(mut self, mut image: Image<'_>) -> Result<Vec<Utf8PathBuf>, ImageError> {
        let (store, mode) = (self.store, self.request.mode);
        let missing: Vec<usize> = (0..image.layers.len())
            .filter(|&index| match image.layers[index].diff_id {
                Some(diff_id) => !store.layer(mode, diff_id).exists(),
                None => true,
            })
            .collect();
        let total = missing.iter().map(|&index| image.layers[index].size).sum();
        let mut done = 0;
        for &index in &missing {
            self.make_layer(&mut image, index, done, total)?;
            done += image.layers[index].size;
            (self.progress)(done, Some(total));
        }
        if !missing.is_empty() {
            image.save()?;
        }
        let diff_ids = image.layers.iter().filter_map(|layer| layer.diff_id);
        Ok(stack(diff_ids.map(|diff_id| store.layer(mode, diff_id)).collect(), mode))
    }

    fn make_layer(
        &mut self,
        image: &mut Image<'_>,
        index: usize,
        done: u64,
        total: u64,
    ) -> Result<(), ImageError> {
        let (store, mode, cancel) = (self.store, self.request.mode, self.request.cancel);
        let (key, diff_id) = (image.layer_key(index), image.layers[index].diff_id);
        let _lock = store.lock(key, cancel)?;
        // Another process may have made it while this one waited, or the image has it twice.
        if diff_id.is_some_and(|diff_id| store.layer(mode, diff_id).exists()) {
            return Ok(());
        }
        let progress = &mut *self.progress;
        let source = image.obtain(index, &mut |fetched| progress(done + fetched, Some(total)))?;
        let folder = store.unfinished_layer(mode, key);
        let job = UnpackJob { source, folder, mode, diff_id };
        match (self.unpack)(&job) {
            Ok(unpacked) => {
                tracing::debug!(layer = %unpacked.diff_id, ?unpacked, "unpacked a layer");
                store.finish_layer(mode, &job.folder, unpacked.diff_id)?;
                image.layers[index].diff_id = Some(unpacked.diff_id);
                image.discard(index);
                Ok(())
            }
            Err(_) if cancel.is_cancelled() => Err(ImageError::Cancelled),
            Err(source) => {
                // It may be the fetched file that is wrong: the next try fetches it again.
                image.discard(index);
                Err(ImageError::Because("a layer could not be unpacked".to_owned(), Some(source)))
            }
        }
    }
}

/// What an overlay is mounted of. It takes no folder twice, and of a layer that an image has twice
/// only the upper one can be seen. Nor does it heed an opaque mark at its root, so what lies below
/// such a layer is left out here.
fn stack(folders: Vec<Utf8PathBuf>, mode: XattrMode) -> Vec<Utf8PathBuf> {
    let mut stacked = Vec::new();
    for folder in folders.into_iter().rev() {
        if stacked.contains(&folder) {
            continue;
        }
        let hides_all = is_opaque(folder.as_std_path(), mode);
        stacked.push(folder);
        if hides_all {
            break;
        }
    }
    stacked.reverse();
    stacked
}
