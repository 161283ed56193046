"""A small calibrated model that ranks candidates by all that is known without the reference.

`features` turns a frame of candidates into numbers, `models` holds trees and logistic regression as
plain arrays, `fit` fits them by cross-fitting over problems, `model_file.Ranker` is what scores.
"""
