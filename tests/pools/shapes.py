"""One small file of each format that `import` knows, in its true shape.

Two problems, "What is 1 + 1?" and "What is 2 * 3?", with two candidates each: the first right, the
second wrong.
"""

RIGHT = ("So it is \\boxed{2}.", "So it is \\boxed{6}.")
WRONG = ("So it is \\boxed{3}.", "So it is \\boxed{5}.")

ASSAY = [
    {
        "id": "a",
        "question": "What is 1 + 1?",
        "answer": "2",
        "options": [],
        "solutions": [{"mode": "cot", "text": "1 + 1 = 2\n#### 2"}],
        "convention": "",
        "candidates": [
            {
                "mode": "cot", "sample": 0, "text": RIGHT[0], "tokens": 9, "prompt_tokens": 12,
                "logprob": -1.5, "stop": "eos", "outcome": "", "output": "", "message": "",
                "program_seconds": 0.0, "answer": "2", "source": "boxed", "answer_class": 0,
                "label": True, "scores": {"v": 0.75},
            },
            {
                "mode": "cot", "sample": 1, "text": WRONG[0], "tokens": 8, "prompt_tokens": 12,
                "logprob": -2.5, "stop": "length", "outcome": "", "output": "", "message": "",
                "program_seconds": 0.0, "answer": "3", "source": "boxed", "answer_class": 1,
                "label": False, "scores": {"v": 0.25},
            },
        ],
    },
    {
        "id": "b",
        "question": "What is 2 * 3?",
        "answer": "6",
        "options": [],
        "solutions": [],
        "convention": "",
        "candidates": [
            {
                "mode": "cot", "sample": 0, "text": RIGHT[1], "tokens": 9, "prompt_tokens": 12,
                "logprob": -1.5, "stop": "eos", "answer": "6", "label": True, "scores": {"v": 0.5},
            },
            {
                "mode": "cot", "sample": 1, "text": WRONG[1], "tokens": 9, "prompt_tokens": 12,
                "logprob": None, "stop": "eos", "answer": "5", "label": False,
                "scores": {"v": 0.125},
            },
        ],
    },
]  # fmt: skip

QWEN = [
    {
        "idx": 0,
        "question": "What is 1 + 1?",
        "gt_cot": "1 + 1 = 2",
        "gt": "2",
        "level": "Level 1",
        "solution": "1 + 1 = 2",
        "answer": "2",
        "code": [RIGHT[0], WRONG[0]],
        "pred": ["2", "3"],
        "report": [None, None],
        "score": [True, False],
    },
    {
        "idx": 1,
        "question": "What is 2 * 3?",
        "gt_cot": "",
        "gt": "6",
        "level": "Level 1",
        "solution": "",
        "answer": "6",
        "code": [RIGHT[1], WRONG[1]],
        "pred": ["6", "5"],
        "report": [None, None],
        "score": [True, False],
    },
]

SEARCH_AND_LEARN = [
    {
        "problem": "What is 1 + 1?",
        "solution": "1 + 1 = 2",
        "answer": "2",
        "subject": "Prealgebra",
        "level": 1,
        "unique_id": "test/prealgebra/1.json",
        "completions": [RIGHT[0], WRONG[0]],
        "scores": [[0.5, 0.75], [0.5, 0.25, 0.125]],
        "pred": RIGHT[0],
        "completion_tokens": [9, 8],
    },
    {
        "problem": "What is 2 * 3?",
        "solution": "",
        "answer": "6",
        "subject": "Prealgebra",
        "level": 1,
        "unique_id": "test/prealgebra/2.json",
        "completions": [RIGHT[1], WRONG[1]],
        "scores": [[0.5], [0.125]],
        "pred": RIGHT[1],
        "completion_tokens": [9, 9],
    },
]


def _lm_eval(doc_id, question, answer, resps, name, filtered, match):
    return {
        "doc_id": doc_id,
        "doc": {"question": question, "answer": answer},
        "target": answer,
        "arguments": {
            "gen_args_0": {
                "arg_0": f"Question: {question}\nAnswer:",
                "arg_1": {"until": ["Question:"], "do_sample": False, "temperature": 0.0},
            }
        },
        "resps": [resps],
        "filtered_resps": filtered,
        "filter": name,
        "metrics": ["exact_match"],
        "doc_hash": "5b8e…",
        "prompt_hash": "d1c2…",
        "target_hash": "ab12…",
        "exact_match": match,
    }


# One response each (the harness repeats only where the task says so), graded by two filters.
LM_EVAL = [
    _lm_eval(*row)
    for name, claims in (
        ("strict-match", ("2", "[invalid]")),
        ("flexible-extract", ("2", "5")),
    )
    for row in (
        (0, "What is 1 + 1?", "1 + 1 = <<1+1=2>>2\n#### 2", ["It is 2\n#### 2"], name,
         [claims[0]], 1.0),
        (1, "What is 2 * 3?", "2 * 3 = <<2*3=6>>6\n#### 6", ["It is 5."], name, [claims[1]], 0.0),
    )
]  # fmt: skip

OPENAI = [
    {
        "id": "cmpl-1",
        "question": "What is 1 + 1?",
        "answer": "2",
        "object": "text_completion",
        "choices": [
            {
                "index": 0, "text": RIGHT[0], "finish_reason": "stop",
                "logprobs": {"tokens": ["So", " it"], "token_logprobs": [-0.5, -1.0]},
            },
            {"index": 1, "text": WRONG[0], "finish_reason": "length", "logprobs": None},
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 17},
    },
    {
        "id": "cmpl-2",
        "question": "What is 2 * 3?",
        "answer": "6",
        "object": "text_completion",
        "choices": [
            {"index": 0, "text": RIGHT[1], "finish_reason": "stop", "logprobs": None},
            {"index": 1, "text": WRONG[1], "finish_reason": "stop", "logprobs": None},
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 18},
    },
]  # fmt: skip

VLLM = [
    {
        "request_id": "0",
        "question": "What is 1 + 1?",
        "answer": "2",
        "prompt": "<|im_start|>user\nWhat is 1 + 1?<|im_end|>\n",
        "outputs": [
            {
                "index": 0, "text": RIGHT[0], "token_ids": [5, 6, 7], "cumulative_logprob": -1.5,
                "logprobs": None, "finish_reason": "stop", "stop_reason": None,
            },
            {
                "index": 1, "text": WRONG[0], "token_ids": [5, 6], "cumulative_logprob": None,
                "logprobs": None, "finish_reason": "length", "stop_reason": None,
            },
        ],
        "finished": True,
    },
    {
        "request_id": "1",
        "question": "What is 2 * 3?",
        "answer": "6",
        "prompt": "<|im_start|>user\nWhat is 2 * 3?<|im_end|>\n",
        "outputs": [
            {"index": 0, "text": RIGHT[1], "token_ids": [5], "finish_reason": "stop"},
            {"index": 1, "text": WRONG[1], "token_ids": [5], "finish_reason": "stop"},
        ],
        "finished": True,
    },
]  # fmt: skip

HF = [
    {
        "uuid": "u-1",
        "problem": "What is 1 + 1?",
        "solution": "1 + 1 = 2",
        "answer": "2",
        "problem_type": "Algebra",
        "generations": [RIGHT[0], WRONG[0]],
        "is_reasoning_complete": [True, True],
        "correctness_math_verify": [True, False],
    },
    {
        "uuid": "u-2",
        "problem": "What is 2 * 3?",
        "solution": "",
        "answer": "6",
        "problem_type": "Algebra",
        "generations": [RIGHT[1], WRONG[1]],
        "is_reasoning_complete": [True, True],
        "correctness_math_verify": [True, False],
    },
]

LONG = [
    {"question": "What is 1 + 1?", "answer": "2", "solution": RIGHT[0], "score": 0.75},
    {"question": "What is 2 * 3?", "answer": "6", "solution": RIGHT[1], "score": 0.5},
    {"question": "What is 1 + 1?", "answer": "2", "solution": WRONG[0], "score": 0.25},
    {"question": "What is 2 * 3?", "answer": "6", "solution": WRONG[1], "score": 0.125},
]


def _systems(right, wrong):
    return {
        name: {"is_correct": good, "solution": right if good else wrong}
        for name, good in (
            ("6b_finetuning", True),
            ("6b_verification", False),
            ("175b_finetuning", True),
            ("175b_verification", False),
        )
    }


GSM8K_SOLUTIONS = [
    {
        "question": "What is 1 + 1?",
        "ground_truth": "It is 1 + 1 = <<1+1=2>>2.\nA: 2",
        **_systems("1 + 1 = <<1+1=2>>2\nA: 2", "1 + 1 = <<1+1=2>>2\nA: 3"),
    },
    {
        "question": "What is 2 * 3?",
        "ground_truth": "It is 2 * 3 = <<2*3=6>>6.\nA: 6",
        **_systems("2 * 3 = <<2*3=6>>6\nA: 6", "2 * 3 = <<2*3=6>>6\nA: 5"),
    },
]

FILES = {
    "assay": ASSAY,
    "qwen": QWEN,
    "search-and-learn": SEARCH_AND_LEARN,
    "lm-eval": LM_EVAL,
    "openai": OPENAI,
    "vllm": VLLM,
    "hf": HF,
    "long": LONG,
    "gsm8k-solutions": GSM8K_SOLUTIONS,
}
