//! The functions of the driver's library that came after CUDA 11.0, by the release they came with.
//!
//! From `cudaTypedefs.h` of the CUDA 13.5 runtime, which gives each function's versions. Those that
//! are not here came with 11.0 or before.

use wheelmill_model::CudaVersion;

/// The release that a function came with; `None` for the older ones, and for names that are none
/// of the driver's. Variants for a thread's own stream bear an ending that is passed over.
pub(super) fn release_of(function: &str) -> Option<CudaVersion> {
    let plain = function.strip_suffix("_ptsz").or_else(|| function.strip_suffix("_ptds"));
    let name = plain.unwrap_or(function);
    let row = FUNCTIONS.iter().find(|(_, names)| names.contains(&name));
    row.map(|((major, minor), _)| CudaVersion::new(*major, *minor))
}

#[rustfmt::skip]
const FUNCTIONS: &[((u16, u16), &[&str])] = &[
    ((11, 1), &[
        "cuArrayGetSparseProperties", "cuDeviceGetTexture1DLinearMaxWidth",
        "cuEventRecordWithFlags", "cuGraphAddEventRecordNode", "cuGraphAddEventWaitNode",
        "cuGraphEventRecordNodeGetEvent", "cuGraphEventRecordNodeSetEvent",
        "cuGraphEventWaitNodeGetEvent", "cuGraphEventWaitNodeSetEvent",
        "cuGraphExecChildGraphNodeSetParams", "cuGraphExecEventRecordNodeSetEvent",
        "cuGraphExecEventWaitNodeSetEvent", "cuGraphUpload", "cuMemMapArrayAsync",
        "cuMipmappedArrayGetSparseProperties",
    ]),
    ((11, 2), &[
        "cuArrayGetPlane", "cuDeviceGetDefaultMemPool", "cuDeviceGetMemPool",
        "cuDeviceSetMemPool", "cuGraphAddExternalSemaphoresSignalNode",
        "cuGraphAddExternalSemaphoresWaitNode",
        "cuGraphExecExternalSemaphoresSignalNodeSetParams",
        "cuGraphExecExternalSemaphoresWaitNodeSetParams",
        "cuGraphExternalSemaphoresSignalNodeGetParams",
        "cuGraphExternalSemaphoresSignalNodeSetParams",
        "cuGraphExternalSemaphoresWaitNodeGetParams",
        "cuGraphExternalSemaphoresWaitNodeSetParams", "cuMemAllocAsync",
        "cuMemAllocFromPoolAsync", "cuMemFreeAsync", "cuMemPoolCreate",
        "cuMemPoolDestroy", "cuMemPoolExportPointer", "cuMemPoolExportToShareableHandle",
        "cuMemPoolGetAccess", "cuMemPoolGetAttribute",
        "cuMemPoolImportFromShareableHandle", "cuMemPoolImportPointer",
        "cuMemPoolSetAccess", "cuMemPoolSetAttribute", "cuMemPoolTrimTo",
    ]),
    ((11, 3), &[
        "cuFlushGPUDirectRDMAWrites", "cuGetProcAddress", "cuGraphDebugDotPrint",
        "cuGraphReleaseUserObject", "cuGraphRetainUserObject",
        "cuStreamGetCaptureInfo_v2", "cuStreamUpdateCaptureDependencies",
        "cuUserObjectCreate", "cuUserObjectRelease", "cuUserObjectRetain",
    ]),
    ((11, 4), &[
        "cuCtxCreate_v3", "cuCtxGetExecAffinity", "cuDeviceGetExecAffinitySupport",
        "cuDeviceGetGraphMemAttribute", "cuDeviceGetUuid_v2", "cuDeviceGraphMemTrim",
        "cuDeviceSetGraphMemAttribute", "cuGraphAddMemAllocNode", "cuGraphAddMemFreeNode",
        "cuGraphInstantiateWithFlags", "cuGraphMemAllocNodeGetParams",
        "cuGraphMemFreeNodeGetParams",
    ]),
    ((11, 6), &[
        "cuArrayGetMemoryRequirements", "cuGraphNodeGetEnabled", "cuGraphNodeSetEnabled",
        "cuLaunchKernelEx", "cuMipmappedArrayGetMemoryRequirements",
    ]),
    ((11, 7), &[
        "cuGraphAddBatchMemOpNode", "cuGraphBatchMemOpNodeGetParams",
        "cuGraphBatchMemOpNodeSetParams", "cuGraphExecBatchMemOpNodeSetParams",
        "cuMemGetHandleForAddressRange", "cuModuleGetLoadingMode",
        "cuOccupancyMaxActiveClusters", "cuOccupancyMaxPotentialClusterSize",
        "cuStreamBatchMemOp_v2", "cuStreamWaitValue32_v2", "cuStreamWaitValue64_v2",
        "cuStreamWriteValue32_v2", "cuStreamWriteValue64_v2",
    ]),
    ((12, 0), &[
        "cuCtxGetId", "cuGetProcAddress_v2", "cuGraphAddKernelNode_v2",
        "cuGraphExecGetFlags", "cuGraphExecKernelNodeSetParams_v2",
        "cuGraphExecUpdate_v2", "cuGraphInstantiateWithParams",
        "cuGraphKernelNodeGetParams_v2", "cuGraphKernelNodeSetParams_v2",
        "cuKernelGetAttribute", "cuKernelGetFunction", "cuKernelSetAttribute",
        "cuKernelSetCacheConfig", "cuLibraryGetGlobal", "cuLibraryGetKernel",
        "cuLibraryGetManaged", "cuLibraryGetModule", "cuLibraryGetUnifiedFunction",
        "cuLibraryLoadData", "cuLibraryLoadFromFile", "cuLibraryUnload", "cuStreamGetId",
        "cuTensorMapEncodeIm2col", "cuTensorMapEncodeTiled", "cuTensorMapReplaceAddress",
    ]),
    ((12, 1), &[
        "cuCoredumpGetAttribute", "cuCoredumpGetAttributeGlobal",
        "cuCoredumpSetAttribute", "cuCoredumpSetAttributeGlobal", "cuCtxSetFlags",
        "cuMulticastAddDevice", "cuMulticastBindAddr", "cuMulticastBindMem",
        "cuMulticastCreate", "cuMulticastGetGranularity", "cuMulticastUnbind",
    ]),
    ((12, 2), &[
        "cuGraphAddNode", "cuGraphExecNodeSetParams", "cuGraphNodeSetParams",
        "cuMemAdvise_v2", "cuMemPrefetchAsync_v2",
    ]),
    ((12, 3), &[
        "cuFuncGetName", "cuGraphAddDependencies_v2", "cuGraphAddNode_v2",
        "cuGraphConditionalHandleCreate", "cuGraphGetEdges_v2",
        "cuGraphNodeGetDependencies_v2", "cuGraphNodeGetDependentNodes_v2",
        "cuGraphRemoveDependencies_v2", "cuKernelGetName", "cuStreamBeginCaptureToGraph",
        "cuStreamGetCaptureInfo_v3", "cuStreamUpdateCaptureDependencies_v2",
    ]),
    ((12, 4), &[
        "cuCtxFromGreenCtx", "cuCtxGetDevResource", "cuDevResourceGenerateDesc",
        "cuDevSmResourceSplitByCount", "cuDeviceGetDevResource",
        "cuDeviceRegisterAsyncNotification", "cuDeviceUnregisterAsyncNotification",
        "cuFuncGetParamInfo", "cuFuncIsLoaded", "cuFuncLoad", "cuGreenCtxCreate",
        "cuGreenCtxDestroy", "cuGreenCtxGetDevResource", "cuGreenCtxRecordEvent",
        "cuGreenCtxWaitEvent", "cuKernelGetParamInfo", "cuLibraryEnumerateKernels",
        "cuLibraryGetKernelCount", "cuModuleEnumerateFunctions",
        "cuModuleGetFunctionCount", "cuStreamGetGreenCtx",
    ]),
    ((12, 5), &[
        "cuCtxCreate_v4", "cuCtxRecordEvent", "cuCtxWaitEvent", "cuGreenCtxStreamCreate",
        "cuKernelGetLibrary", "cuStreamGetCtx_v2",
    ]),
    ((12, 6), &[
        "cuMemBatchDecompressAsync",
    ]),
    ((12, 8), &[
        "cuCheckpointProcessCheckpoint", "cuCheckpointProcessGetRestoreThreadId",
        "cuCheckpointProcessGetState", "cuCheckpointProcessLock",
        "cuCheckpointProcessRestore", "cuCheckpointProcessUnlock",
        "cuEventElapsedTime_v2", "cuMemcpy3DBatchAsync", "cuMemcpyBatchAsync",
        "cuStreamGetDevice", "cuTensorMapEncodeIm2colWide",
    ]),
    ((12, 9), &[
        "cuGreenCtxGetId", "cuLogsCurrent", "cuLogsDumpToFile", "cuLogsDumpToMemory",
        "cuLogsRegisterCallback", "cuLogsUnregisterCallback",
    ]),
    ((13, 0), &[
        "cuCtxGetDevice_v2", "cuCtxSynchronize_v2", "cuDeviceGetHostAtomicCapabilities",
        "cuDeviceGetP2PAtomicCapabilities", "cuMemDiscardAndPrefetchBatchAsync",
        "cuMemDiscardBatchAsync", "cuMemGetDefaultMemPool", "cuMemGetMemPool",
        "cuMemPrefetchBatchAsync", "cuMemSetMemPool", "cuMemcpy3DBatchAsync_v2",
        "cuMemcpyBatchAsync_v2",
    ]),
    ((13, 1), &[
        "cuDevSmResourceSplit", "cuGraphExecGetId", "cuGraphGetId",
        "cuGraphNodeGetContainingGraph", "cuGraphNodeGetLocalId", "cuGraphNodeGetToolsId",
        "cuLaunchHostFunc_v2", "cuMulticastBindAddr_v2", "cuMulticastBindMem_v2",
        "cuStreamBeginCaptureToCig", "cuStreamEndCaptureToCig", "cuStreamGetDevResource",
    ]),
    ((13, 2), &[
        "cuCoredumpDeregisterCompleteCallback", "cuCoredumpDeregisterStartCallback",
        "cuCoredumpRegisterCompleteCallback", "cuCoredumpRegisterStartCallback",
        "cuFuncGetParamCount", "cuGraphNodeGetParams", "cuKernelGetParamCount",
        "cuMemcpy3DWithAttributesAsync", "cuMemcpyWithAttributesAsync",
    ]),
    ((13, 3), &[
        "cuLogicalEndpointAddDevice", "cuLogicalEndpointBindAddr",
        "cuLogicalEndpointBindMem", "cuLogicalEndpointCreate", "cuLogicalEndpointDestroy",
        "cuLogicalEndpointExport", "cuLogicalEndpointGetLimits",
        "cuLogicalEndpointIdRelease", "cuLogicalEndpointIdReserve",
        "cuLogicalEndpointImport", "cuLogicalEndpointQuery", "cuLogicalEndpointUnbind",
        "cuStreamBeginRecaptureToGraph",
    ]),
    ((13, 4), &[
        "cuCheckpointOperationComplete", "cuDeviceGetCliqueCount",
        "cuDeviceGetCliqueInfo", "cuDeviceGetFabricClusterUuid", "cuGraphAddNode_v3",
        "cuGraphNodeSetParams_v2", "cuMemGetLocationInfo",
    ]),
    ((13, 5), &[
        "cuFabricCpyBatchAsync", "cuTensorMapSetAllocationClass",
    ]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_known_by_name_and_version() {
        let of = |name| release_of(name).map(|release| release.to_string());
        assert_eq!(of("cuGreenCtxDestroy").as_deref(), Some("12.4"));
        assert_eq!(of("cuStreamGetCaptureInfo_v3_ptsz").as_deref(), Some("12.3"));
        assert_eq!(of("cuGetProcAddress_v2").as_deref(), Some("12.0"));
        assert_eq!(of("cuMemAlloc_v2"), None);
        assert_eq!(of("cuStreamGetCaptureInfo"), None);
    }

    #[test]
    fn no_function_stands_twice() {
        let names: Vec<&str> = FUNCTIONS.iter().flat_map(|(_, names)| *names).copied().collect();
        let once: std::collections::BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), once.len());
    }
}
