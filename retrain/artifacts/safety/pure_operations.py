"""TensorFlow's operations that only compute: numbers and text in, numbers and text out.

TensorFlow has some 1,900 operations. Many of them read or write files, open connections or call
back into Python. An operation that is missing in this list is refused, so a new one is refused
until someone has read what it does. Operations that keep their state in memory (variables, lists,
tables filled from constants) are in it; operations that fill themselves from a file are not.
"""

_BASIC = """
Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Angle Any ApproxTopK ApproximateEqual ArgMax ArgMin
Asin Asinh Assert Atan Atan2 Atanh BatchMatMul BatchMatMulV2 BatchMatMulV3 Betainc BiasAdd BiasAddV1
Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs BroadcastGradientArgs BroadcastTo
Bucketize Cast Ceil CheckNumerics CheckNumericsV2 ClipByValue Complex ComplexAbs Concat ConcatOffset
ConcatV2 Conj ConjugateTranspose Const ControlTrigger Cos Cosh Cross Cumprod CumulativeLogsumexp
Cumsum DataFormatDimMap DataFormatVecPermute DeepCopy DenseBincount Dequantize Diag DiagPart Digamma
Div DivNoNan DynamicPartition DynamicStitch EditDistance Einsum Empty EnsureShape Equal Erf Erfc
Erfinv EuclideanNorm Exp ExpandDims Expint Expm1 FakeParam FakeQuantWithMinMaxArgs
FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod Gather
GatherNd GatherV2 Greater GreaterEqual GuaranteeConst HistogramFixedWidth HostConst Identity
IdentityN Igamma Igammac Imag InTopK InTopKV2 InplaceAdd InplaceSub InplaceUpdate Inv Invert
InvertPermutation IsFinite IsInf IsNan L2Loss LeftShift Less LessEqual Lgamma LinSpace ListDiff Log
Log1p LogicalAnd LogicalNot LogicalOr LowerBound MatMul MatrixBandPart MatrixDiag MatrixDiagPart
MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2
MatrixSetDiagV3 Max Maximum Mean Min Minimum MirrorPad Mod Mul MulNoNan Ndtri Neg NextAfter NoOp
NotEqual NthElement OneHot OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch Placeholder
PlaceholderV2 PlaceholderWithDefault Polygamma PopulationCount Pow PreventGradient Prod
QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
QuantizeDownAndShrinkRange QuantizeV2 QuantizedAdd QuantizedAvgPool QuantizedBiasAdd QuantizedConcat
QuantizedConcatV2 QuantizedConv2D QuantizedInstanceNorm QuantizedMatMul QuantizedMaxPool
QuantizedMul QuantizedRelu QuantizedRelu6 QuantizedReluX QuantizedReshape QuantizedResizeBilinear
Range Rank Real RealDiv Reciprocal RequantizationRange RequantizationRangePerChannel Requantize
RequantizePerChannel Reshape Reverse ReverseSequence ReverseV2 RightShift Rint Roll Round Rsqrt
ScatterNd ScatterNdNonAliasingAdd SegmentMax SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2
SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 Select SelectV2 Shape ShapeN Sign Sin Sinh Size
Slice Snapshot Split SplitV Sqrt Square SquaredDifference Squeeze StopGradient StridedSlice Sub Sum
Tan TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
TensorStridedSliceUpdate Tile ToBool TopK TopKUnique TopKV2 TopKWithUnique Transpose TruncateDiv
TruncateMod UniformDequantize UniformQuantize UniformQuantizedAdd UniformQuantizedClipByValue
UniformQuantizedConvolution UniformQuantizedConvolutionHybrid UniformQuantizedDot
UniformQuantizedDotHybrid UniformRequantize Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2
Unpack UnravelIndex UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
UpperBound Where Xdivy Xlog1py Xlogy ZerosLike Zeta
"""

_LINEAR_ALGEBRA = """
BandedTriangularSolve BatchMatrixInverse Cholesky Eig FFT FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D
IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND Lu MatrixDeterminant MatrixExponential MatrixInverse
MatrixLogarithm MatrixSolve MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve
LogMatrixDeterminant Qr RFFT RFFT2D RFFT3D RFFTND SelfAdjointEigV2 Svd TridiagonalMatMul
TridiagonalSolve
"""

_NETWORKS = """
AvgPool AvgPool3D BatchNormWithGlobalNormalization BatchToSpace BatchToSpaceND BlockLSTM BlockLSTMV2
CTCGreedyDecoder Conv Conv2D Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D Conv3DBackpropInput
Conv3DBackpropInputV2 DepthToSpace DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput
Dilation2D Elu FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
FusedPadConv2D FusedResizeAndPadConv2D GRUBlockCell LRN LSTMBlockCell LeakyRelu LogSoftmax MaxPool
MaxPool3D MaxPoolV2 MaxPoolWithArgmax Relu Relu6 Selu Sigmoid Softmax
SoftmaxCrossEntropyWithLogits Softplus Softsign SpaceToBatch SpaceToBatchND SpaceToDepth
SparseSoftmaxCrossEntropyWithLogits Tanh _FusedBatchNormEx _FusedConv2D _FusedConv3D
_FusedDepthwiseConv2dNative _FusedMatMul
"""

_GRADIENTS = """
AvgPool3DGrad AvgPoolGrad BiasAddGrad Conv2DBackpropFilter Conv2DBackpropFilterV2
Conv3DBackpropFilter Conv3DBackpropFilterV2 DepthwiseConv2dNativeBackpropFilter EluGrad
FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVarsGradient
FakeQuantWithMinMaxVarsPerChannelGradient FusedBatchNormGrad FusedBatchNormGradV2
FusedBatchNormGradV3 InvGrad LRNGrad LeakyReluGrad MaxPool3DGrad MaxPoolGrad MaxPoolGradV2
MaxPoolGradWithArgmax MirrorPadGrad ReciprocalGrad Relu6Grad ReluGrad ResizeBicubicGrad
ResizeBilinearGrad ResizeNearestNeighborGrad RsqrtGrad SeluGrad SigmoidGrad SoftplusGrad
SoftsignGrad SqrtGrad StridedSliceGrad TanhGrad
"""

_PICTURES_AND_TEXT = """
AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation AsString CombinedNonMaxSuppression
CropAndResize DecodeAndCropJpeg DecodeBase64 DecodeBmp DecodeCompressed DecodeGif DecodeImage
DecodeJpeg DecodeJxl DecodePaddedRaw DecodePng DecodeRaw DecodeWebP DrawBoundingBoxes
DrawBoundingBoxesV2 EncodeBase64 EncodeJpeg EncodePng ExtractGlimpse ExtractGlimpseV2
ExtractImagePatches ExtractJpegShape ExtractVolumePatches HSVToRGB ImageProjectiveTransformV2
ImageProjectiveTransformV3 NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3
NonMaxSuppressionV4 NonMaxSuppressionV5 ParseExample ParseExampleV2 ParseSingleExample RGBToHSV
ReduceJoin RegexFullMatch RegexReplace ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor
ScaleAndTranslate StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin StringLength
StringLower StringSplit StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast
StringToHashBucketStrong StringToNumber StringUpper Substr UnicodeTranscode
"""

_SUMMARIES = (
    "HistogramSummary ImageSummary MergeSummary ScalarSummary TensorSummary TensorSummaryV2"
)

_CHANCE = """
Multinomial NonDeterministicInts ParameterizedTruncatedNormal RandomGamma RandomPoissonV2
RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt RngReadAndSkip RngSkip
SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 StatefulStandardNormalV2
StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt
StatelessMultinomial StatelessRandomGetAlg StatelessRandomGetKeyCounter
StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform
StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessSampleDistortedBoundingBox
StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
"""

# These call functions of the same graph, which are checked as well.
_FLOW = """
Case Enter Exit For If LoopCond Merge NextIteration PartitionedCall RefEnter RefExit RefIdentity
RefMerge RefNextIteration RefSelect RefSwitch StatefulPartitionedCall StatelessCase StatelessIf
StatelessWhile Switch While _Arg _ArrayToList _DeviceArg _DeviceRetval _If _ListToArray _Retval
_SwitchN _While
"""

_VARIABLES = """
ApplyAdam ApplyGradientDescent ApplyMomentum Assign AssignAdd AssignAddVariableOp AssignSub
AssignSubVariableOp AssignVariableOp DestroyResourceOp DestroyTemporaryVariable DisableCopyOnRead
IsResourceHandleRefCounting IsVariableInitialized ReadVariableOp ResourceApplyAdam
ResourceApplyGradientDescent ResourceApplyKerasMomentum ResourceApplyMomentum ResourceGather
ResourceGatherNd ResourceScatterAdd ResourceScatterNdUpdate ResourceScatterUpdate
ResourceStridedSliceAssign ScatterAdd ScatterNdUpdate ScatterSub ScatterUpdate StridedSliceAssign
TemporaryVariable VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2
_ReadVariablesOp _VarHandlesOp
"""

_CONTAINERS = """
AnonymousHashTable AnonymousMutableHashTable EmptyTensorList EmptyTensorMap HashTable HashTableV2
InitializeTable InitializeTableV2 LookupTableExport LookupTableExportV2 LookupTableFind
LookupTableFindV2 LookupTableImport LookupTableImportV2 LookupTableInsert LookupTableInsertV2
LookupTableSize LookupTableSizeV2 MutableHashTable MutableHashTableV2 OptionalFromValue
OptionalGetValue OptionalHasValue OptionalNone RaggedBincount RaggedGather RaggedRange
RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor RaggedTensorToVariant SparseAdd
SparseConcat SparseCross SparseFillEmptyRows SparseReduceSum SparseReorder SparseReshape
SparseSegmentMean SparseSegmentSqrtN SparseSegmentSum SparseSlice SparseSoftmax SparseSplit
SparseTensorDenseAdd SparseTensorDenseMatMul SparseToDense Stack StackClose StackCloseV2 StackPop
StackPopV2 StackPush StackPushV2 StackV2 TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3
TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3
TensorArrayWriteV3 TensorListConcat TensorListConcatLists TensorListConcatV2 TensorListElementShape
TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack
TensorListPushBack TensorListPushBackBatch TensorListReserve TensorListResize TensorListScatter
TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem TensorListSplit
TensorListStack
"""

PURE = frozenset(
    " ".join(
        (
            _BASIC,
            _LINEAR_ALGEBRA,
            _NETWORKS,
            _GRADIENTS,
            _PICTURES_AND_TEXT,
            _SUMMARIES,
            _CHANCE,
            _FLOW,
            _VARIABLES,
            _CONTAINERS,
        )
    ).split()
)
